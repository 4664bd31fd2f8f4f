/**
 * Notifies the service manager (sd_notify(3), Type=notify) that the service is ready, stopping and,
 * with a watchdog, alive: a datagram each. Without NOTIFY_SOCKET nothing is opened.
 */
import { join } from "node:path";
import { StellaError } from "../domain/errors.ts";

export interface NotifyOptions {
  /** NOTIFY_SOCKET: a path, or `@name` for one in the abstract namespace. */
  socket: string | undefined;
  /** WATCHDOG_USEC, after which a silent process is killed, and WATCHDOG_PID, the process meant. */
  watchdog: { microseconds: string | undefined; pid: string | undefined };
  /** A directory of ours, in which the sender's socket exists for a moment. */
  directory: string;
  /** Whether the service works; if not, the watchdog gets no message and restarts it. */
  alive(): boolean;
}

export interface Manager {
  /** @throws StellaError config if it cannot be notified: it would wait, then end the service */
  ready(status: string): Promise<void>;
  stopping(): Promise<void>;
  close(): void;
}

const nobody: Manager = { ready: async () => {}, stopping: async () => {}, close: () => {} };

/** @throws StellaError config if NOTIFY_SOCKET is not a valid address */
export function openManager(options: NotifyOptions): Manager {
  if (options.socket === undefined || options.socket === "") return nobody;
  const address = addressOf(options.socket);
  const connection = openSender(join(options.directory, "notify.sock"));
  const send = (text: string) =>
    connection.send(new TextEncoder().encode(text), { transport: "unixpacket", path: address });
  let beat: ReturnType<typeof setInterval> | undefined;
  return {
    ready: async (status) => {
      await send(`READY=1\nSTATUS=${status}`).catch((cause) => {
        throw unreachable(options.socket!, cause);
      });
      const pause = watchdogPause(options.watchdog);
      if (pause === undefined) return;
      // If sending fails the manager acts by itself.
      beat = setInterval(() => options.alive() && send("WATCHDOG=1").catch(() => {}), pause);
    },
    stopping: async () => {
      await send("STOPPING=1").catch(() => {});
    },
    close: () => {
      clearInterval(beat);
      connection.close();
    },
  };
}

function addressOf(socket: string): string {
  if (socket.startsWith("@")) return `\0${socket.slice(1)}`;
  if (socket.startsWith("/")) return socket;
  const refused = `Cannot use NOTIFY_SOCKET: ${JSON.stringify(socket)} is not a path`;
  const hint = "unset it if no service manager is listening";
  throw new StellaError("environment_invalid", refused, { hint });
}

/** A datagram needs a bound socket; its name is not needed afterwards. */
function openSender(path: string): Deno.DatagramConn {
  try {
    Deno.removeSync(path);
  } catch { /* it is there only where a start was killed at this very place */ }
  const connection = Deno.listenDatagram({ transport: "unixpacket", path });
  Deno.removeSync(path);
  return connection;
}

function unreachable(socket: string, cause: unknown): StellaError {
  const refused = `Cannot notify the service manager at ${JSON.stringify(socket)}`;
  const hint = "allow AF_UNIX in RestrictAddressFamilies of the unit, and set NotifyAccess=main";
  return new StellaError("service_manager", refused, { cause, hint });
}

/** Half of the watchdog time in milliseconds; undefined without one for this process. */
function watchdogPause({ microseconds, pid }: NotifyOptions["watchdog"]): number | undefined {
  if (pid !== undefined && pid !== "" && pid !== String(Deno.pid)) return undefined;
  const limit = Number(microseconds);
  return limit >= 1_000 ? limit / 2_000 : undefined;
}
