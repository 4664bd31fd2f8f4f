/** A client certificate is presented to the registry only, not to hosts that it names. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { RegistryClient } from "../../src/registry/client.ts";
import { openRegistry } from "../../src/registry/open.ts";
import { parseEndpoint } from "../../src/domain/reference.ts";
import { requiring, tool } from "../support/needs.ts";
import { Authority } from "../support/registry/authority.ts";
import { FakeTiming } from "../support/registry/fake_bundle.ts";

/**
 * A server that asks for a client certificate, takes none too, and answers with what it was shown.
 */
class AskingServer {
  readonly #process: ChildProcess;

  constructor({ dir }: Authority) {
    const files = ["-cert", "server.pem", "-key", "server.key", "-CAfile", "ca.pem"];
    const args = ["s_server", "-accept", "127.0.0.1:0", "-verify", "1", "-www", ...files];
    const stdio = ["ignore", "pipe", "ignore"] as const;
    this.#process = spawn(tool("openssl")!, args, { cwd: dir, stdio: [...stdio] });
  }

  /** Its origin, once it listens. */
  async start(): Promise<string> {
    for await (const line of createInterface({ input: this.#process.stdout! })) {
      const [, port] = /^ACCEPT .*:(\d+)$/.exec(line) ?? [];
      if (port !== undefined) return `https://127.0.0.1:${port}`;
    }
    throw new Error("openssl s_server does not listen");
  }

  async stop(): Promise<void> {
    const ended = new Promise((done) => this.#process.once("exit", done));
    this.#process.kill("SIGKILL");
    await ended;
  }
}

async function isShownACertificate(client: RegistryClient, url: string): Promise<boolean> {
  const answer = await client.ask({ method: "GET", url: new URL(url) }, "repository:a:pull");
  assert.equal(answer.status, 200);
  const text = new TextDecoder().decode(answer.body);
  const isNone = text.includes("no client certificate available");
  assert.equal(text.includes("Client certificate"), !isNone, text);
  return !isNone;
}

Deno.test(requiring(
  ["openssl"],
  "a client certificate is presented to the registry only, not to another origin that it names",
  async () => {
    const authority = new Authority();
    const own = authority.issue("IP:127.0.0.1", 2);
    const path = (name: string) => join(authority.dir, name);
    for (const name of ["server", "client"]) {
      writeFileSync(path(`${name}.pem`), own.cert);
      writeFileSync(path(`${name}.key`), own.key, { mode: 0o600 });
    }
    const servers = [new AskingServer(authority), new AskingServer(authority)];
    try {
      const [registry, other] = await Promise.all(servers.map((server) => server.start()));
      const client = openRegistry({
        endpoint: parseEndpoint(registry!),
        ca: authority.path,
        clientCertificate: path("client.pem"),
        clientKey: path("client.key"),
      }, { timing: new FakeTiming(), policy: () => {} });
      try {
        assert.equal(await isShownACertificate(client, `${registry}/v2/`), true);
        assert.equal(await isShownACertificate(client, `${other}/token`), false);
        assert.equal(await isShownACertificate(client, `${registry}/v2/`), true);
      } finally {
        client.close();
      }
    } finally {
      await Promise.all(servers.map((server) => server.stop()));
      authority.remove();
    }
  },
));
