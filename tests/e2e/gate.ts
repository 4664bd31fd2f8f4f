/** A proxy in front of a registry that makes it slow, silent or failing while it runs. */
import net from "node:net";

export type Mode = "pass" | "slow" | "hang" | "refuse";

/**
 * Milliseconds by which a slow gate delays what a client sends. A push sends about twenty times.
 */
const slowness = 250;

export class Gate {
  mode: Mode = "pass";
  readonly #server: net.Server;
  readonly #sockets = new Set<net.Socket>();

  /** `port` is the registry's. */
  constructor(port: number) {
    this.#server = net.createServer((client) => this.#connect(client, port));
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as net.AddressInfo).port}`;
  }

  async open(): Promise<this> {
    await new Promise<void>((done) => this.#server.listen(0, "127.0.0.1", done));
    return this;
  }

  /** Hanging connections end, as when a network comes back. */
  set(mode: Mode): void {
    this.mode = mode;
    for (const socket of this.#sockets) socket.destroy();
  }

  async close(): Promise<void> {
    this.set("pass");
    await new Promise((done) => this.#server.close(done));
  }

  #connect(client: net.Socket, port: number): void {
    this.#keep(client);
    if (this.mode === "hang") return void client.resume();
    if (this.mode === "refuse") {
      const answer = "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
      return void client.once("data", () => client.end(answer));
    }
    const server = this.#keep(net.connect(port, "127.0.0.1"));
    const delay = this.mode === "slow" ? slowness : 0;
    client.on("data", (bytes) => setTimeout(() => server.writable && server.write(bytes), delay));
    server.on("data", (bytes) => client.writable && client.write(bytes));
    client.on("close", () => server.destroy());
    server.on("close", () => client.destroy());
  }

  #keep(socket: net.Socket): net.Socket {
    this.#sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => this.#sockets.delete(socket));
    return socket;
  }
}
