/** The service's signing key: created once, and reported missing if it disappears. */
import assert from "node:assert/strict";
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createSigning } from "../../src/service/signing.ts";
import { machineKey } from "../../src/attest/sign/keys.ts";
import { machineKeyPath } from "../../src/config/paths.ts";

interface Scene {
  state: string;
  events: string[];
  /** As at a start of the service, after `exported` or not. */
  start(exported?: boolean): ReturnType<typeof createSigning>;
  check(signing: ReturnType<typeof createSigning>): Promise<[string, string | undefined]>;
}

async function scene(body: (scene: Scene) => Promise<void>): Promise<void> {
  const state = mkdtempSync(join(tmpdir(), "stella-signing-"));
  const events: string[] = [];
  const start = (exported = false) => {
    const lastSuccesses = () => new Map(exported ? [["kit", 1]] : []);
    const log = (severity: string, event: string, _: string, fields?: { path?: string }) =>
      void events.push(`${severity} ${event} ${fields?.path}`);
    const resources = { queue: { lastSuccesses }, log } as unknown as Parameters<
      typeof createSigning
    >[1];
    return createSigning({ signingKey: machineKey(machineKeyPath(state)) }, resources);
  };
  const check: Scene["check"] = async ({ check }) => {
    const { status, output } = await check.run(new AbortController().signal);
    return [status, output];
  };
  try {
    await body({ state, events, start, check });
  } finally {
    rmSync(state, { recursive: true });
  }
}

Deno.test("the first export creates the key and logs it", () =>
  scene(async ({ state, events, start, check }) => {
    const signing = start();
    assert.deepEqual(await check(signing), ["pass", "the first export creates it"]);
    signing.prepare();
    const path = join(state, "keys/signing.key");
    assert.deepEqual(events, [`WARN key.made ${path}`]);
    const [status, keyid] = await check(signing);
    assert.deepEqual([status, keyid], ["pass", machineKey(machineKeyPath(state)).find()]);
    signing.prepare();
    start(true).prepare();
    assert.equal(events.length, 1);
  }));

for (const [when, exported] of [["while it runs", false], ["before a restart", true]] as const) {
  Deno.test(`a key that disappears ${when} is reported missing, and not replaced`, () =>
    scene(async ({ state, events, start, check }) => {
      const first = start();
      first.prepare();
      renameSync(join(state, "keys"), join(state, "lost"));
      const signing = exported ? start(true) : first;
      assert.throws(() => signing.prepare(), {
        kind: "config",
        message: /signing\.key" is missing$/,
      });
      const [status, output] = await check(signing);
      assert.equal(status, "fail");
      assert.match(output!, /is missing$/);
      renameSync(join(state, "lost"), join(state, "keys"));
      signing.prepare();
      assert.equal((await check(signing))[0], "pass");
      assert.equal(events.length, 1, "no other key was made");
    }));
}

Deno.test("a key that cannot be read fails the check", () =>
  scene(async ({ state, start, check }) => {
    const signing = start();
    signing.prepare();
    writeFileSync(join(state, "keys/signing.key"), "no key");
    const [status] = await check(signing);
    assert.equal(status, "fail");
    assert.throws(() => signing.prepare(), { kind: "config" });
  }));
