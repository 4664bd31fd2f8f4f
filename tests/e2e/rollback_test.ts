/**
 * What a site remembers of the bundles that it unpacked: detection of rollbacks and forks, and
 * attempts to evade it.
 */
import assert from "node:assert/strict";
import {
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { Home } from "../support/program.ts";

/** An exporting machine, and a site that trusts its key. */
class Sites {
  readonly centre = new Home();
  readonly site = new Home();
  readonly trust: string[];

  constructor(readonly key: string) {
    this.trust = ["--trust", key];
  }

  /** The directory of a bundle of one file. */
  async bundle(name: string, content: string, more: string[] = []): Promise<string> {
    const input = join(this.centre.path, "in");
    Deno.mkdirSync(input, { recursive: true });
    writeFileSync(join(input, "a"), content);
    const out = join(this.centre.path, name);
    const words = ["--profile", "p", "--input", input, "--manifest", join(out, "manifest.json")];
    await this.centre.succeed(["export", "bundle", ...words, ...more]);
    return out;
  }

  async unpack(bundle: string, more: string[] = []) {
    const to = `${bundle}-${crypto.randomUUID()}`;
    return { to, ...await this.site.json(["unpack", bundle, "--to", to, ...this.trust, ...more]) };
  }

  verify(bundle: string, more: string[] = []) {
    return this.site.json(["verify", bundle, ...this.trust, ...more]);
  }
}

async function withSites(body: (sites: Sites) => Promise<void>): Promise<void> {
  const scratch = new Home();
  const key = join(scratch.path, "centre.pub");
  const sites = new Sites(key);
  try {
    await sites.bundle("1", "first");
    writeFileSync(key, (await sites.centre.succeed(["keys", "show", "--public"])).stdout);
    await body(sites);
  } finally {
    for (const home of [sites.centre, sites.site, scratch]) home.remove();
  }
}

/** Exit code, reasons, and the verdict about rollback. */
// deno-lint-ignore no-explicit-any -- the result of any command
function outcome({ exit, findings, rollback }: any) {
  return [exit, findings.map(({ reason }: { reason: string }) => reason), rollback];
}

const files = (home: Home) =>
  readdirSync(home.path, { recursive: true, encoding: "utf8" })
    .map((name) => `${name} ${statSync(join(home.path, name)).mtimeMs}`).sort();

Deno.test("every verifying command refuses a bundle older than the last unpacked one as a rollback", () =>
  withSites(async (sites) => {
    const [old, now] = [join(sites.centre.path, "1"), await sites.bundle("2", "second")];
    assert.deepEqual(outcome(await sites.unpack(old)), [0, [], { judged: false }]);
    const known = { judged: true, lastSequence: 1 };
    assert.deepEqual(outcome(await sites.unpack(now)), [0, [], known]);
    const replay = await sites.unpack(old);
    assert.deepEqual(outcome(replay), [11, ["rollback"], { judged: true, lastSequence: 2 }]);
    assert.equal(existsSync(replay.to), false);
    for (const words of [["verify"], ["stick", "write"], ["push"]]) {
      const target = words[0] === "stick" ? [sites.site.path] : [];
      const registry = words[0] === "push" ? ["oci://127.0.0.1:9/r:t"] : [];
      const ran = await sites.site.json([...words, old, ...target, ...registry, ...sites.trust]);
      assert.deepEqual([words, ran.exit], [words, 11]);
    }
    assert.equal((await sites.verify(now)).exit, 0);
  }));

Deno.test("verify reads the seen sequences and writes nothing", () =>
  withSites(async (sites) => {
    const first = join(sites.centre.path, "1");
    assert.deepEqual(outcome(await sites.verify(first)), [0, [], { judged: false }]);
    assert.deepEqual(files(sites.site), []);
    await sites.unpack(await sites.bundle("2", "second"));
    const before = files(sites.site);
    assert.equal((await sites.verify(first)).exit, 11);
    assert.deepEqual(files(sites.site), before);
    const text = await sites.site.stella(["verify", join(sites.centre.path, "2"), ...sites.trust]);
    assert.match(text.stdout, /\n {2}sequence {2}2 \(last known here: 2\)\n/);
  }));

Deno.test("two states with one sequence are a fork, which --accept-sequence does not accept", () =>
  withSites(async (sites) => {
    const first = join(sites.centre.path, "1");
    await sites.unpack(first);
    rmSync(join(sites.centre.state, "sequences.json"));
    const fork = await sites.bundle("fork", "another", ["--sequence", "1"]);
    for (const more of [[], ["--accept-sequence", "1"]]) {
      const refused = await sites.unpack(fork, more);
      assert.deepEqual(outcome(refused), [11, ["fork"], { judged: true, lastSequence: 1 }]);
    }
    assert.equal((await sites.unpack(first)).exit, 0);
  }));

Deno.test("--accept-sequence unpacks an older bundle once and keeps the newer one as the last seen", () =>
  withSites(async (sites) => {
    const old = join(sites.centre.path, "1");
    await sites.unpack(await sites.bundle("2", "second"));
    const wrong = await sites.unpack(old, ["--accept-sequence", "2"]);
    assert.deepEqual([wrong.exit, wrong.findings[0].expected], [11, "sequence 2"]);
    const accepted = await sites.unpack(old, ["--accept-sequence", "1"]);
    const said = { judged: true, lastSequence: 2, accepted: true };
    assert.deepEqual(outcome(accepted), [0, [], said]);
    assert.equal((await sites.unpack(old)).exit, 11);
    const receipt = join(sites.site.path, "r.json");
    await sites.verify(old, ["--accept-sequence", "1", "--receipt", receipt]);
    const { predicate } = JSON.parse(readFileSync(receipt, "utf8"));
    assert.deepEqual(predicate["urn:stella:receipt:v1"].rollback, said);
  }));

Deno.test("without a state directory rollback is reported as not judged unless the sequence is given", () =>
  withSites(async (sites) => {
    const [old, now] = [join(sites.centre.path, "1"), await sites.bundle("2", "second")];
    const stateless = { env: { HOME: "", STELLA_DATA: "" } };
    const receipt = join(sites.centre.path, "receipt.json");
    const verify = (bundle: string, more: string[] = []) =>
      sites.site.json(["verify", bundle, ...sites.trust, ...more], stateless);
    const first = await verify(old, ["--receipt", receipt]);
    assert.deepEqual(outcome(first), [0, [], { judged: false }]);
    const { predicate } = JSON.parse(readFileSync(receipt, "utf8"));
    assert.deepEqual(predicate["urn:stella:receipt:v1"].rollback, { judged: false });
    const { stdout } = await sites.site.stella(["verify", old, ...sites.trust], stateless);
    assert.match(stdout, /\n {2}sequence {2}1 \(rollback not judged: /);
    assert.deepEqual(outcome(await verify(old, ["--expect-sequence", "2"])), [
      11,
      ["rollback"],
      { judged: true, lastSequence: 2 },
    ]);
    assert.equal((await verify(now, ["--expect-sequence", "2"])).exit, 0);
    const newest = join(sites.centre.path, "newest.json");
    await verify(now, ["--receipt", newest]);
    assert.equal((await verify(old, ["--seen", newest])).exit, 11);
    assert.equal((await verify(now, ["--seen", receipt, "--seen", newest])).exit, 0);
    const to = join(sites.site.path, "to");
    const unpacked = await sites.site.json(["unpack", old, "--to", to, ...sites.trust], stateless);
    assert.deepEqual(outcome(unpacked), [0, [], { judged: false }]);
  }));

Deno.test("lost seen sequences are restored from receipts, signed or not, in any order", () =>
  withSites(async (sites) => {
    const [old, now] = [join(sites.centre.path, "1"), await sites.bundle("2", "second")];
    const { site } = sites;
    await site.succeed(["keys", "generate", "--out", "r.key"]);
    const keep = (bundle: string, name: string, more: string[] = []) =>
      sites.verify(bundle, ["--receipt", name, ...more]);
    await keep(old, "1.json");
    await keep(now, "2.json", ["--receipt-key", "r.key"]);
    const { seen } = await site.json(["trust", "seen", "--receipt", "2.json"]);
    assert.deepEqual(seen.map(({ profile, sequence }: never) => [profile, sequence]), [["p", 2]]);
    await site.succeed(["trust", "seen", "--receipt", "1.json"]);
    assert.match((await site.succeed(["trust", "seen"])).stdout, /^p {2}default {2}sequence 2 {2}/);
    assert.equal((await sites.verify(old)).exit, 11);
  }));

Deno.test("receipts of refused bundles and receipts in the bundle's directory are not accepted", () =>
  withSites(async (sites) => {
    const first = join(sites.centre.path, "1");
    writeFileSync(join(sites.site.path, "no.json"), "{}");
    await sites.site.json(["verify", first, "--receipt", "refused.json"]);
    await sites.verify(first, ["--receipt", join(first, "planted.json")]);
    await sites.site.json(["verify", first, "--integrity-only", "--receipt", "bytes.json"]);
    for (const name of ["no.json", "refused.json", "bytes.json", join(first, "planted.json")]) {
      const ran = await sites.verify(first, ["--seen", name]);
      assert.deepEqual([name, ran.exit], [name, 2]);
    }
    const missing = await sites.verify(first, ["--seen", "missing.json"]);
    assert.equal(missing.exit, 12);
  }));

Deno.test("a bundle without a sequence is accepted until one with a sequence was seen", () =>
  withSites(async (sites) => {
    const none = await sites.bundle("none", "first", ["--sequence", "none"]);
    assert.deepEqual(outcome(await sites.unpack(none)), [0, [], { judged: false }]);
    assert.deepEqual((await sites.site.json(["trust", "seen"])).seen, []);
    await sites.unpack(join(sites.centre.path, "1"));
    assert.deepEqual(outcome(await sites.unpack(none)), [
      11,
      ["rollback"],
      { judged: true, lastSequence: 1 },
    ]);
    assert.equal((await sites.unpack(none, ["--accept-sequence", "none"])).exit, 0);
  }));

Deno.test("a sequence jump of more than 10,000 needs --accept-sequence", () =>
  withSites(async (sites) => {
    await sites.unpack(join(sites.centre.path, "1"));
    const far = await sites.bundle("far", "far", ["--sequence", "10002"]);
    assert.deepEqual((await sites.unpack(far)).findings[0].reason, "sequence_jump");
    assert.equal((await sites.unpack(far, ["--accept-sequence", "10002"])).exit, 0);
  }));

Deno.test("nothing is unpacked if the seen sequences cannot be read or written", () =>
  withSites(async (sites) => {
    const first = join(sites.centre.path, "1");
    await sites.unpack(first);
    const [name = ""] = readdirSync(join(sites.site.state, "trust"));
    const file = join(sites.site.state, "trust", name, "seen.json");
    writeFileSync(file, "{}");
    const refused = await sites.unpack(first);
    assert.deepEqual([refused.exit, refused.error.reason], [2, "state_invalid"]);
    assert.equal(existsSync(refused.to), false);
    rmSync(join(sites.site.state, "trust", name), { recursive: true });
    symlinkSync("/nowhere/at/all", join(sites.site.state, "trust", name));
    const unwritable = await sites.unpack(first);
    assert.equal(unwritable.exit, 14);
    assert.match(unwritable.error.hint, /STELLA_DATA/);
    assert.equal(existsSync(unwritable.to), false);
  }));

Deno.test("options about one bundle are refused for several, and with --integrity-only", () =>
  withSites(async (sites) => {
    await sites.bundle("2", "second");
    for (const option of ["--expect-sequence", "--accept-sequence"]) {
      const several = await sites.verify(sites.centre.path, [option, "1"]);
      assert.deepEqual([several.exit, several.error.reason], [2, "options_conflict"]);
      const bytes = await sites.verify(join(sites.centre.path, "2"), [
        option,
        "1",
        "--integrity-only",
      ]);
      assert.deepEqual([bytes.exit, bytes.error.reason], [2, "options_conflict"]);
    }
  }));
