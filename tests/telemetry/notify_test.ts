import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { type NotifyOptions, openManager } from "../../src/telemetry/notify.ts";

/** Milliseconds for what has to come, and for what must not. */
const [patience, silence] = [20_000, 300];

interface Surroundings extends AsyncDisposable {
  directory: string;
  socket: string;
  /** The next datagram; undefined where none comes in so many milliseconds. */
  received(bound?: number): Promise<string | undefined>;
}

/** A service manager that listens, at a path or in the abstract namespace. */
function surroundings(socketOf = (directory: string) => `${directory}/manager`): Surroundings {
  const directory = mkdtempSync(`${tmpdir()}/stella-notify-`);
  const socket = socketOf(directory);
  const path = socket.replace(/^@/, "\0");
  const listener = Deno.listenDatagram({ transport: "unixpacket", path });
  let next = listener.receive();
  const received = async (bound = patience) => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const nothing = new Promise<undefined>((resolve) => {
      timer = setTimeout(() => resolve(undefined), bound);
    });
    const got = await Promise.race([next, nothing]);
    clearTimeout(timer);
    if (got === undefined) return undefined;
    next = listener.receive();
    return new TextDecoder().decode(got[0]);
  };
  const dispose = async () => {
    listener.close();
    await next.catch(() => {});
    rmSync(directory, { recursive: true });
  };
  return { directory, socket, received, [Symbol.asyncDispose]: dispose };
}

function options(given: Partial<NotifyOptions> & { directory: string }): NotifyOptions {
  const watchdog = { microseconds: undefined, pid: undefined };
  return { socket: undefined, watchdog, alive: () => true, ...given };
}

for (const place of [undefined, () => `@stella-test-${crypto.randomUUID()}`]) {
  const where = place === undefined ? "at a path" : "in the abstract namespace";
  Deno.test(`a manager ${where} receives ready, status and stopping, and no file is left`, async () => {
    await using here = surroundings(place);
    const manager = openManager(options(here));
    await manager.ready("Serving http://127.0.0.1:1");
    assert.equal(await here.received(), "READY=1\nSTATUS=Serving http://127.0.0.1:1");
    await manager.stopping();
    assert.equal(await here.received(), "STOPPING=1");
    manager.close();
    assert.deepEqual(readdirSync(here.directory).filter((name) => name !== "manager"), []);
  });
}

Deno.test("the watchdog is notified at half of its interval while the service is alive, and not otherwise", async () => {
  await using here = surroundings();
  let alive = true;
  const watchdog = { microseconds: "100000", pid: String(Deno.pid) };
  const manager = openManager(options({ ...here, watchdog, alive: () => alive }));
  const started = performance.now();
  await manager.ready("");
  await here.received();
  assert.deepEqual([await here.received(), await here.received()], ["WATCHDOG=1", "WATCHDOG=1"]);
  assert.ok(performance.now() - started >= 90, "the beats are too quick");
  alive = false;
  let late = 0;
  while (late < 5 && await here.received(silence) !== undefined) late++;
  assert.ok(late < 5, "no more than was on its way");
  alive = true;
  assert.equal(await here.received(), "WATCHDOG=1");
  manager.close();
});

Deno.test("no notification is sent for a watchdog of another process or without one", async () => {
  await using here = surroundings();
  const foreign = { microseconds: "20000", pid: String(Deno.pid + 1) };
  for (const watchdog of [foreign, { microseconds: undefined, pid: undefined }]) {
    const manager = openManager(options({ ...here, watchdog }));
    await manager.ready("");
    await here.received();
    assert.equal(await here.received(silence), undefined);
    manager.close();
  }
});

Deno.test("without NOTIFY_SOCKET nothing is opened", async () => {
  for (const socket of [undefined, ""]) {
    // A socket in the directory would be an error: there is none.
    const manager = openManager(options({ directory: "/nowhere", socket }));
    await assert.doesNotReject(manager.ready(""));
    await assert.doesNotReject(manager.stopping());
    manager.close();
  }
});

Deno.test("a service manager that cannot be notified at the start is an error", async () => {
  await using here = surroundings();
  assert.throws(() => openManager(options({ ...here, socket: "vsock:2:1" })), /is not a path/);
  const manager = openManager(options({ ...here, socket: `${here.directory}/nobody` }));
  await assert.rejects(manager.ready(""), /Cannot notify the service manager at ".*nobody"/);
  manager.close();
});
