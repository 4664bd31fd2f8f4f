/**
 * The service under a manager that waits for it, as systemd does with Type=notify and WatchdogSec.
 */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { Home } from "../support/program.ts";

Deno.test("the manager hears ready when the port answers, beats, and stopping; the exit code is 0", async () => {
  const home = new Home();
  const socket = join(home.path, "manager.sock");
  const manager = Deno.listenDatagram({ transport: "unixpacket", path: socket });
  const heard = async () => new TextDecoder().decode((await manager.receive())[0]);
  const service = await home.serve([], { NOTIFY_SOCKET: socket, WATCHDOG_USEC: "400000" });
  try {
    assert.equal(await heard(), `READY=1\nSTATUS=Serving ${service.url}`);
    assert.deepEqual([await heard(), await heard()], ["WATCHDOG=1", "WATCHDOG=1"]);
    assert.ok(!readdirSync(home.state).includes("notify.sock"));
    const [code] = await Promise.all([service.stop(), stopping(heard)]);
    assert.equal(code, 0);
  } finally {
    await service.stop("SIGKILL");
    manager.close();
    home.remove();
  }
});

async function stopping(heard: () => Promise<string>): Promise<void> {
  for (let text = await heard(); text !== "STOPPING=1"; text = await heard()) {
    assert.equal(text, "WATCHDOG=1");
  }
}

Deno.test("a manager that cannot be told ends the service at its start, in order", async () => {
  const home = new Home();
  try {
    const env = { NOTIFY_SOCKET: join(home.path, "nobody") };
    const said = await home.stella(["serve", "--listen", "127.0.0.1:0"], { env });
    assert.equal(said.code, 2, said.stderr);
    assert.match(said.stderr, /Cannot notify the service manager at/);
    assert.match(said.stderr, /"service stopped"/);
  } finally {
    home.remove();
  }
});
