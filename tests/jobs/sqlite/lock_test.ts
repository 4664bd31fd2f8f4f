import assert from "node:assert/strict";
import { join } from "node:path";
import { takeLock } from "../../../src/jobs/sqlite/lock.ts";

async function withState(body: (state: string) => Promise<void>): Promise<void> {
  const directory = Deno.makeTempDirSync({ prefix: "stella-lock-" });
  try {
    await body(join(directory, "state"));
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
}

Deno.test("the lock creates its state directory, both private, and records its holder", async () => {
  await withState(async (state) => {
    const lock = await takeLock(state);
    assert.equal(Deno.statSync(state).mode! & 0o777, 0o700);
    assert.equal(Deno.statSync(join(state, "lock")).mode! & 0o777, 0o600);
    assert.equal(Deno.readTextFileSync(join(state, "lock")), `${Deno.pid}\n`);
    lock.release();
  });
});

Deno.test("a second holder is refused with the first one's process id until the lock is released", async () => {
  await withState(async (state) => {
    const lock = await takeLock(state);
    await assert.rejects(takeLock(state), {
      kind: "conflict",
      message: new RegExp(`process ${Deno.pid} holds it`),
      hint: /STELLA_DATA/,
    });
    lock.release();
    (await takeLock(state)).release();
  });
});

Deno.test("a lock whose file was removed or replaced is not held", async () => {
  await withState(async (state) => {
    const lock = await takeLock(state);
    assert.equal(lock.isHeld(), true);
    Deno.removeSync(join(state, "lock"));
    assert.equal(lock.isHeld(), false);
    const other = await takeLock(state);
    assert.deepEqual([lock.isHeld(), other.isHeld()], [false, true]);
    lock.release();
    other.release();
  });
});

Deno.test("a state directory that cannot be created is reported with its path", async () => {
  await assert.rejects(takeLock("/dev/null/state"), { message: /Cannot lock "\/dev\/null\/state/ });
});

Deno.test("a link in the state directory is refused, and its target is not changed", async () => {
  const names = ["lock", "stella.db", "stella.db-wal", "stella.db-shm", "keys", "store", "tmp"];
  for (const name of names) {
    await withState(async (state) => {
      Deno.mkdirSync(state);
      const target = join(state, "target");
      Deno.writeTextFileSync(target, "content");
      Deno.symlinkSync(target, join(state, name));
      await assert.rejects(takeLock(state), {
        kind: "config",
        message: `Cannot use ${JSON.stringify(join(state, name))}: it is a symbolic link`,
      });
      assert.deepEqual(
        [...Deno.readDirSync(state)].map((one) => one.name).sort(),
        [
          name,
          "target",
        ].sort(),
      );
      assert.equal(Deno.readTextFileSync(target), "content");
    });
  }
});
