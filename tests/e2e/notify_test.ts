/** The service under a service manager, as systemd runs it with Type=notify and WatchdogSec. */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { Home } from "../support/program.ts";

Deno.test("the service sends READY, WATCHDOG and STOPPING to its manager and exits with code 0", async () => {
  const home = new Home();
  const socket = join(home.path, "manager.sock");
  const manager = Deno.listenDatagram({ transport: "unixpacket", path: socket });
  const received = async () => new TextDecoder().decode((await manager.receive())[0]);
  const service = await home.serve([], { NOTIFY_SOCKET: socket, WATCHDOG_USEC: "400000" });
  try {
    assert.equal(await received(), `READY=1\nSTATUS=Serving ${service.url}`);
    assert.deepEqual([await received(), await received()], ["WATCHDOG=1", "WATCHDOG=1"]);
    assert.ok(!readdirSync(home.state).includes("notify.sock"));
    const [code] = await Promise.all([service.stop(), stopping(received)]);
    assert.equal(code, 0);
  } finally {
    await service.stop("SIGKILL");
    manager.close();
    home.remove();
  }
});

async function stopping(received: () => Promise<string>): Promise<void> {
  for (let text = await received(); text !== "STOPPING=1"; text = await received()) {
    assert.equal(text, "WATCHDOG=1");
  }
}

Deno.test("the service stops cleanly at its start if the service manager cannot be notified", async () => {
  const home = new Home();
  try {
    const env = { NOTIFY_SOCKET: join(home.path, "nobody") };
    const printed = await home.stella(["serve", "--listen", "127.0.0.1:0"], { env });
    assert.equal(printed.code, 2, printed.stderr);
    assert.match(printed.stderr, /Cannot notify the service manager at/);
    assert.match(printed.stderr, /"service stopped"/);
  } finally {
    home.remove();
  }
});
