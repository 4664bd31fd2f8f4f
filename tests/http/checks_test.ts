import assert from "node:assert/strict";
import { join } from "node:path";
import type { Profile, RegistryConfig } from "../../src/config/profile.ts";
import { StellaError } from "../../src/domain/errors.ts";
import {
  type AttestationProbe,
  attestationVerify,
  databaseWrite,
  lockHeld,
  registryChecks,
  storageFree,
  storageWrite,
} from "../../src/http/checks.ts";
import type { Check } from "../../src/http/readiness.ts";

const run = async (check: Check) => await check.run(new AbortController().signal);

Deno.test("the storage check writes, syncs and reads back a file, then removes it", async () => {
  const directory = Deno.makeTempDirSync();
  try {
    assert.deepEqual(await run(storageWrite(directory, (bytes) => bytes.fill(7))), {
      status: "pass",
    });
    assert.deepEqual([...Deno.readDirSync(directory)], []);
  } finally {
    Deno.removeSync(directory);
  }
  await assert.rejects(run(storageWrite(directory, (bytes) => bytes.fill(7))), { code: "ENOENT" });
});

Deno.test("an existing file at the path of the probe fails the check", async () => {
  const directory = Deno.makeTempDirSync();
  try {
    Deno.mkdirSync(join(directory, ".readiness"));
    await assert.rejects(run(storageWrite(directory, (bytes) => bytes.fill(7))), {
      code: /EISDIR/,
    });
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
});

Deno.test("free space is reported in bytes and as a percentage", async () => {
  let seen = { free: 0, size: 0 };
  const result = await run(storageFree("/", (space) => seen = space));
  assert.match(result.output ?? "", /^\d+\.\d % free$/);
  assert.ok(seen.size > seen.free && seen.free > 0);
});

Deno.test("the database check fails with the database's message if it cannot be written to", async () => {
  assert.deepEqual(await run(databaseWrite({ probe: () => {} })), { status: "pass" });
  const probe = () => {
    throw new StellaError("medium_failed", "Cannot write to the database: disk is full");
  };
  await assert.rejects(async () => await run(databaseWrite({ probe })), {
    message: /disk is full/,
  });
});

Deno.test("the lock check fails if the lock was lost", async () => {
  assert.equal((await run(lockHeld({ isHeld: () => true }))).status, "pass");
  assert.equal((await run(lockHeld({ isHeld: () => false }))).status, "fail");
});

const registry: RegistryConfig = { name: "site", url: "https://registry.site:5000" };
const profile = (name: string, targets: Profile["targets"], kind: Profile["kind"] = "files") =>
  ({ name, kind, sources: [], compression: "zstd", targets }) satisfies Profile;
const toRegistry = profile("a", [{ registry: "site", repository: "a", tag: "t" }]);
const toDirectory = profile("b", [{ directory: "/srv" }]);
const kit = profile("kit", [], "kit");

Deno.test("without registries there is one check, which says that none is configured", async () => {
  const [check, ...others] = registryChecks([], [kit], () => Promise.reject(new Error("no")));
  assert.deepEqual(others, []);
  assert.deepEqual(await run(check!), { status: "pass", output: "none configured" });
  assert.equal(check?.name, "registry");
});

Deno.test("an unreachable registry is a warning while a profile works without it, else a failure", async () => {
  const down = () => Promise.reject(new Error("connect ECONNREFUSED"));
  const status = async (profiles: Profile[]) =>
    await run(registryChecks([registry], profiles, down)[0]!);
  assert.deepEqual(await status([kit, toRegistry, toDirectory]), {
    status: "warn",
    output: "connect ECONNREFUSED",
  });
  assert.equal((await status([kit])).status, "warn");
  assert.equal((await status([kit, toRegistry])).status, "fail");
});

Deno.test("a registry that answers passes, and each registry has its own check", async () => {
  const other = { ...registry, name: "other" };
  const asked: string[] = [];
  const checks = registryChecks([registry, other], [kit], ({ name }) => {
    asked.push(name);
    return Promise.resolve();
  });
  assert.deepEqual(checks.map(({ name }) => name), ["registry:site", "registry:other"]);
  for (const check of checks) assert.equal((await run(check)).status, "pass");
  assert.deepEqual(asked, ["site", "other"]);
});

Deno.test("the attestation check reports the result of its probe and counts it", async () => {
  const seen: AttestationProbe[] = [];
  const check = (probe: AttestationProbe) =>
    run(attestationVerify(() => Promise.resolve(probe), (result) => seen.push(result)));
  assert.equal((await check({ ok: true, detail: "verified" })).status, "pass");
  const bad = { ok: false, detail: "a tampered bundle was accepted", reason: "subject_mismatch" };
  assert.deepEqual(await check(bad), { status: "fail", output: "a tampered bundle was accepted" });
  assert.deepEqual(seen.map(({ reason }) => reason), [undefined, "subject_mismatch"]);
});
