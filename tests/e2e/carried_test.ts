/**
 * Bundles that were carried somewhere, as a user handles them: from a pipe, from several sticks,
 * unpacked, compared, with a receipt.
 */
import assert from "node:assert/strict";
import { createPublicKey } from "node:crypto";
import {
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { readAttestation, verifyEnvelope } from "../../src/attest/check/check.ts";
import { publicKeyFrom } from "../../src/attest/check/trust.ts";
import { sha256 } from "../../src/domain/hash.ts";
import { snapshot } from "../support/run_export.ts";
import { type Home, withHome } from "../support/program.ts";

function test(name: string, body: (home: Home) => Promise<void>): void {
  Deno.test(name, () => withHome(body));
}

/** A small input, and an export of it into `out`. */
async function exported(home: Home, out = "out", more: string[] = []): Promise<string> {
  const input = join(home.path, "in");
  mkdirSync(join(input, "b"), { recursive: true });
  writeFileSync(join(input, "a.txt"), "first\n");
  writeFileSync(join(input, "b/run.sh"), "#!/bin/sh\n", { mode: 0o755 });
  await home.succeed([
    ...["export", "bundle", "--profile", "p", "--input", "in"],
    ...["--manifest", `${out}/manifest.json`, ...more],
  ]);
  return join(home.path, out);
}

const unpack = ["export", "bundle", "unpack", "--manifest", "out/manifest.json", "--to"];

test("unpack writes files with their modes below DIR, and a second unpack replaces nothing", async (home) => {
  await exported(home);
  const ran = await home.json([...unpack, "far/away"]);
  assert.deepEqual([ran.exit, ran.verdict, ran.filesVerified, ran.files], [0, "verified", 2, [
    "far/away",
  ]]);
  const expected = { "a.txt": "644 first\n", "b/": "755", "b/run.sh": "755 #!/bin/sh\n" };
  assert.deepEqual(snapshot(join(home.path, "far/away")), expected);
  const again = await home.json([...unpack, "far/away"]);
  assert.equal(again.exit, 14);
  assert.match(
    again.error.message,
    /Cannot unpack into "far\/away": the directory holds "(a\.txt|b)"/,
  );
  assert.deepEqual(snapshot(join(home.path, "far/away")), expected);
});

test("a damaged or untrusted bundle is not unpacked, and its directory is not created", async (home) => {
  const out = await exported(home, "out", ["--compression", "none"]);
  const archive = join(out, "p.tar");
  const right = readFileSync(archive);
  const wrong = Uint8Array.from(right);
  wrong[512]! ^= 1;
  writeFileSync(archive, wrong);
  assert.equal((await home.json([...unpack, "bad"])).exit, 7);
  writeFileSync(archive, right);
  rmSync(home.state, { recursive: true });
  assert.equal((await home.json([...unpack, "stranger"])).exit, 5);
  assert.deepEqual(readdirSync(home.path).sort(), ["in", "out"]);
  const asked = await home.json([...unpack, "asked", "--integrity-only"]);
  assert.deepEqual([asked.exit, asked.verdict], [0, "integrity-only"]);
  assert.equal(readFileSync(join(home.path, "asked/a.txt"), "utf8"), "first\n");
});

test("the service's bundle.tar is verified and unpacked from a pipe", async (home) => {
  const input = join(home.path, "in");
  mkdirSync(input);
  writeFileSync(join(input, "a.txt"), "first\n");
  const config = join(home.path, "stella.yaml");
  writeFileSync(
    config,
    `version: 1\nprofiles: { p: { kind: files, sources: [{ files: ${input} }] } }\n`,
  );
  const service = await home.serve(["--config", config]);
  const job = await service.export({ profile: "p" });
  assert.equal(job.state, "succeeded");
  const answer = await fetch(`${service.url}/v1/exports/${job.id}/bundle.tar`);
  const stdin = await answer.bytes();
  await service.stop();
  for (const words of [["verify", "-"], ["export", "bundle", "verify", "--manifest", "-"]]) {
    const { exit, verdict, bundle } = await home.json(words, { stdin });
    assert.deepEqual([exit, verdict, bundle.bundleDigest], [0, "verified", job.bundleDigest]);
  }
  const to = ["export", "bundle", "unpack", "--manifest", "-", "--to", "far"];
  assert.equal((await home.json(to, { stdin })).exit, 0);
  assert.deepEqual(snapshot(join(home.path, "far")), { "a.txt": "644 first\n" });
  const cut = await home.json(["verify", "-"], { stdin: stdin.subarray(0, -1000) });
  assert.deepEqual([cut.exit, cut.findings.at(-1).reason], [10, "truncated"]);
  assert.equal((await home.json(["verify", "-"], { stdin: new Uint8Array() })).exit, 3);
});

test("volumes on several sticks are verified in any order and reported with their state and path", async (home) => {
  const input = join(home.path, "in");
  mkdirSync(input);
  const noise = new Uint8Array(20 * 1024 * 1024);
  for (let i = 0; i < noise.length; i += 65_536) {
    crypto.getRandomValues(noise.subarray(i, i + 65_536));
  }
  writeFileSync(join(input, "noise"), noise);
  const out = await exported(home, "out", ["--volume-size", "8M", "--compression", "none"]);
  const [first, second] = ["p.tar.001", "p.tar.002"] as const;
  const [a, b] = [join(home.path, "a"), join(home.path, "b")];
  [a, b].forEach((directory) => mkdirSync(directory));
  renameSync(join(out, first), join(b, first));
  renameSync(join(out, second), join(a, second));
  const verify = async (...sticks: string[]) => {
    const where = sticks.flatMap((one) => ["--volumes", one]);
    const { exit, volumes } = await home.json(["verify", "out", ...where]);
    const states = volumes.map((one: { state: string; where?: string }) =>
      `${one.state} ${one.where ?? ""}`
    );
    return [exit, ...states];
  };
  assert.deepEqual(await verify("b", "a"), [0, "ok b", "ok a", "ok out"]);
  assert.deepEqual(await verify("a"), [10, "missing ", "ok a", "ok out"]);
  const bytes = readFileSync(join(a, second));
  bytes[5 * 1024 * 1024]! ^= 1;
  writeFileSync(join(a, second), bytes);
  assert.deepEqual(await verify("a", "b"), [7, "ok b", "damaged a", "ok out"]);
  const plain = await home.json(["verify", "out"]);
  assert.deepEqual(
    plain.volumes.map(({ path, state, where }: { path: string; state: string; where?: string }) =>
      `${path} ${state} ${where ?? ""}`
    ),
    [`${first} missing `, `${second} missing `, "p.tar.003 ok out"],
  );
  const key = await home.succeed(["keys", "show", "--public"]);
  writeFileSync(join(a, "signer.pub"), key.stdout);
  const trusting = ["verify", "out", "--volumes", "a", "--trust", "a/signer.pub"];
  const refused = await home.json(trusting);
  assert.equal(refused.exit, 2, "a key on a stick with volumes came with the bundle");
  assert.match(refused.error.message, /it is in the bundle's own directory/);
  const absent = await home.json(["verify", "out", "--volumes", "unplugged"]);
  assert.match(absent.error.message, /Cannot look for volumes in "unplugged": no such file/);
});

test("an intact copy of a volume is found in any order, and damaged copies are reported", async (home) => {
  const input = join(home.path, "in");
  mkdirSync(input);
  writeFileSync(join(input, "noise"), crypto.getRandomValues(new Uint8Array(65_536)));
  writeFileSync(join(input, "zeros"), new Uint8Array(17 * 1024 * 1024));
  const out = await exported(home, "out", ["--volume-size", "8M", "--compression", "none"]);
  const [first, second] = ["p.tar.001", "p.tar.002"] as const;
  const sticks = ["a", "b", "c"].map((name) => join(home.path, name));
  for (const stick of sticks) {
    mkdirSync(stick);
    for (const name of [first, second]) cpSync(join(out, name), join(stick, name));
  }
  rmSync(join(out, first));
  const damage = (path: string) => {
    const bytes = readFileSync(path);
    bytes[bytes.length - 1]! ^= 1;
    writeFileSync(path, bytes);
  };
  damage(join(out, second));
  damage(join(home.path, "a", first));
  writeFileSync(join(home.path, "b", first), "short");
  rmSync(join(home.path, "b", second));
  symlinkSync(join(home.path, "c", second), join(home.path, "b", second));
  const verify = async (...names: string[]) => {
    const where = names.flatMap((one) => ["--volumes", one]);
    const { exit, volumes } = await home.json(["verify", "out", ...where]);
    return [
      exit,
      ...volumes.map((one: { state: string; where?: string; badCopies?: string[] }) =>
        `${one.state} ${one.where ?? ""} ${one.badCopies ?? ""}`.trim()
      ),
    ];
  };
  const orders: [string[], string, string][] = [
    [["a", "b", "c"], "ok c a,b", "ok a out"],
    [["c", "b", "a"], "ok c", "ok c out"],
    [["b", "c", "a"], "ok c b", "ok c out,b"],
  ];
  for (const [names, one, two] of orders) {
    assert.deepEqual(await verify(...names), [0, one, two, "ok out"], String(names));
  }
  assert.deepEqual(await verify("b", "a"), [10, "damaged b", "ok a out,b", "ok out"]);
  const text = await home.succeed(["verify", "out", "--volumes", "a", "--volumes", "c"]);
  assert.match(text.stdout, /ok {8}p\.tar\.001 {2}in c\n {2}damaged {3}p\.tar\.001 {2}in a\n/);
  const unpack = ["export", "bundle", "unpack", "--manifest", "out", "--to", "far"];
  const short = await home.json([...unpack, "--volumes", "b"]);
  assert.deepEqual([short.exit, short.volumes?.[0]], [7, {
    path: first,
    state: "damaged",
    where: "b",
  }]);
  const unpacked = await home.succeed([...unpack, "--volumes", "a", "--volumes", "c"]);
  assert.match(unpacked.stdout, /in c\n {2}damaged {3}p\.tar\.001 {2}in a\n/);
  assert.deepEqual(readFileSync(join(home.path, "far/noise")), readFileSync(join(input, "noise")));
});

test("an unlisted file beside the manifest is a note and does not change the exit code", async (home) => {
  for (const layout of ["archive", "directory"]) {
    const out = await exported(home, layout, ["--layout", layout]);
    assert.equal((await home.json(["verify", layout])).notes, undefined);
    mkdirSync(join(out, "System Volume Information"));
    writeFileSync(join(out, "read\u001bme.txt"), "x");
    const { exit, notes, findings } = await home.json(["verify", layout]);
    assert.deepEqual([exit, findings], [0, []]);
    assert.deepEqual(notes, [{ reason: "not_listed", path: "read\u001bme.txt" }]);
    const { stdout } = await home.succeed(["verify", layout]);
    assert.match(
      stdout,
      /note {6}read\\u\{1b\}me\.txt is not listed in the manifest and was not verified/,
    );
    for (let i = 0; i < 30; i++) writeFileSync(join(out, `n${i}`), "");
    const many = (await home.json(["verify", layout])).notes;
    assert.deepEqual([many.length, many.at(-1)], [21, { reason: "not_listed", more: 11 }]);
    const archive = readFileSync(join(out, "SHA256SUMS"));
    writeFileSync(join(out, "SHA256SUMS"), archive.subarray(1));
    assert.notEqual((await home.json(["verify", layout])).exit, 0);
  }
});

test("an unlisted file is found beside volumes on sticks too", async (home) => {
  const out = await exported(home, "out", ["--layout", "directory"]);
  mkdirSync(join(home.path, "stick"));
  const onSticks = ["--volumes", "stick"];
  assert.equal((await home.json(["verify", "out", ...onSticks])).exit, 0);
  writeFileSync(join(out, "payload/evil.txt"), "evil\n");
  for (const more of [[], onSticks, [...onSticks, "--receipt", "receipt.json"]]) {
    const { exit, findings } = await home.json(["verify", "out", ...more]);
    assert.deepEqual([exit, findings.map(({ path }: { path: string }) => path)], [
      8,
      ["payload/evil.txt"],
    ]);
  }
  const to = ["export", "bundle", "unpack", "--manifest", "out", "--to", "far", ...onSticks];
  assert.equal((await home.json(to)).exit, 8);
});

test("a receipt records checks and findings, is signed on request and never overwritten", async (home) => {
  const out = await exported(home);
  const digest = sha256(readFileSync(join(out, "manifest.json")));
  await home.succeed(["verify", "out", "--receipt", "plain.json"]);
  const text = readFileSync(join(home.path, "plain.json"), "utf8");
  const statement = JSON.parse(text);
  assert.deepEqual(statement.subject, [{ name: "manifest.json", digest: { sha256: digest } }]);
  assert.equal(statement.predicateType, "https://slsa.dev/verification_summary/v1");
  const { verificationResult, verifiedLevels, inputAttestations, timeVerified } =
    statement.predicate;
  assert.deepEqual([verificationResult, verifiedLevels], ["PASSED", ["STELLA_TRUSTED_SIGNER"]]);
  assert.deepEqual(inputAttestations, [{
    uri: "manifest.json.sigstore.json",
    digest: { sha256: sha256(readFileSync(join(out, "manifest.json.sigstore.json"))) },
  }]);
  assert.ok(Math.abs(Date.parse(timeVerified) - Date.now()) < 60_000);
  const again = await home.json(["verify", "out", "--receipt", "plain.json"]);
  assert.deepEqual([again.exit, readFileSync(join(home.path, "plain.json"), "utf8")], [14, text]);

  writeFileSync(join(home.path, "phrase"), "correct horse\n", { mode: 0o600 });
  const guarded = ["--passphrase-file", "phrase", "--out", "officer.key"];
  await home.succeed(["keys", "generate", ...guarded]);
  const signed = ["--receipt-key", "officer.key", "--key-passphrase-file", "phrase"];
  writeFileSync(join(out, "VERIFY.txt"), "changed");
  const refused = await home.json(["verify", "out", "--receipt", "signed.json", ...signed]);
  assert.equal(refused.exit, 7);
  const envelope = readAttestation(readFileSync(join(home.path, "signed.json")));
  const pem = readFileSync(join(home.path, "officer.pub"), "utf8");
  assert.ok(verifyEnvelope(envelope, [publicKeyFrom(pem, "officer")]));
  assert.equal(createPublicKey(pem).asymmetricKeyType, "ed25519");
  const failed = JSON.parse(new TextDecoder().decode(envelope.payload)).predicate;
  assert.deepEqual([failed.verificationResult, failed.verifiedLevels], ["FAILED", ["FAILED"]]);
  assert.equal(failed["urn:stella:receipt:v1"].firstFindings[0].path, "VERIFY.txt");

  writeFileSync(join(out, "manifest.json"), "{}");
  assert.ok([3, 4].includes((await home.json(["verify", "out", "--receipt", "r3"])).exit));
  assert.equal(
    JSON.parse(readFileSync(join(home.path, "r3"), "utf8")).subject[0].digest.sha256,
    sha256("{}"),
  );
  rmSync(join(out, "manifest.json"));
  assert.equal(
    (await home.json(["verify", "--quiet", "out/manifest.json", "--receipt", "r4"])).exit,
    3,
  );
  assert.deepEqual(readdirSync(home.path).filter((name) => name === "r4"), []);
});

test("diff compares bundles by field and by file, and exits with code 0 whether or not they differ", async (home) => {
  await exported(home, "old");
  writeFileSync(join(home.path, "in/c"), "new");
  rmSync(join(home.path, "in/b"), { recursive: true });
  writeFileSync(join(home.path, "in/a.txt"), "second\n");
  await home.succeed([
    ...["export", "bundle", "--profile", "p", "--input", "in", "--manifest", "new/manifest.json"],
  ]);
  const diff = (a: string, b: string) => home.json(["export", "bundle", "diff", a, b]);
  const { exit, same, counts, differences, manifest } = await diff("old", "new/manifest.json");
  assert.deepEqual([exit, same, counts], [0, false, { added: 1, removed: 1, changed: 1 }]);
  const short = differences.map((one: { change: string; path: string }) =>
    `${one.change} ${one.path}`
  );
  assert.deepEqual(short, ["changed a.txt", "removed b/run.sh", "added c"]);
  assert.deepEqual([differences[0].a, differences[0].b], [sha256("first\n"), sha256("second\n")]);
  const bytes = manifest.find((one: { field: string }) => one.field === "payload.bytes");
  assert.deepEqual(bytes, { field: "payload.bytes", a: 16, b: 10 });
  assert.deepEqual((await diff("new", "new")).same, true);
  const text = await home.succeed(["export", "bundle", "diff", "old", "new"]);
  assert.match(text.stdout, /^~ a\.txt$/m);
  const index = join(home.path, "new/SHA256SUMS");
  writeFileSync(index, readFileSync(index, "utf8").replace(/^./, "0"));
  const wrong = await diff("old", "new");
  assert.equal(wrong.exit, 7);
  assert.match(wrong.error.message, /its SHA256SUMS is not the one of its manifest/);
});

test("an encrypted key signs with its passphrase file; without it the error names the option", async (home) => {
  writeFileSync(join(home.path, "phrase"), "correct horse\n", { mode: 0o600 });
  await home.succeed(["keys", "generate", "--passphrase-file", "phrase", "--out", "k.key"]);
  const phrase = ["--key-passphrase-file", "phrase"];
  await exported(home, "out", ["--key", "k.key", ...phrase]);
  await home.succeed(["verify", "out", "--trust", "k.pub"]);
  const kit = ["export", "bundle", "--profile", "kit", "--manifest", "kit/manifest.json"];
  const { exit, error } = await home.json([...kit, "--key", "k.key"]);
  assert.equal(exit, 2);
  assert.match(error.message, /it is protected by a passphrase/);
  assert.match(error.hint, /--key-passphrase-file FILE/);
  const shown = await home.succeed(["keys", "show", "--public", "--key", "k.key", ...phrase]);
  assert.equal(shown.stdout, readFileSync(join(home.path, "k.pub"), "utf8"));
});
