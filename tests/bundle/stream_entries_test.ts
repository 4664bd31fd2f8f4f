/**
 * A stream contains each file of the bundle once, in order, with the mode and time of the bundle,
 * and nothing else.
 */
import assert from "node:assert/strict";
import { signWithSecret } from "../../src/attest/sign/signer.ts";
import { newSecret, secretFrom } from "../../src/attest/secret.ts";
import { encodeStatement } from "../../src/attest/statement.ts";
import {
  attestationName,
  bundleDigest,
  hmacName,
  indexName,
  manifestName,
} from "../../src/bundle/manifest.ts";
import { readManifest } from "../../src/bundle/read_manifest.ts";
import { bundles } from "../support/tampered.ts";
import { makeBundle, mtime } from "../support/bundle_fixture.ts";
import { type Entry, order, streamOf, verifyStream } from "../support/bundle_stream.ts";

const made = bundles["zstd"]!;
const all = order(made);
const other = new TextEncoder().encode("other\n");

/** The bundle's entries with `entry` put in before the one at `at`. */
function withEntry(entry: string | Entry, at: number): (string | Entry)[] {
  return [...all.slice(0, at), entry, ...all.slice(at)];
}

Deno.test("a head entry that is repeated or out of order is code 8", async () => {
  for (const name of [manifestName, attestationName, indexName]) {
    for (const content of [made.files.get(name)!, other]) {
      for (let at = all.indexOf(name) + 1; at <= all.length; at++) {
        const bytes = await streamOf(made, withEntry({ path: name, content }, at));
        const { code, found } = await verifyStream(bytes, made);
        assert.equal(code, 8, `${name} at ${at}: ${found}`);
        assert.ok(found.includes(`entry_unexpected ${name}`), `${name} at ${at}: ${found}`);
      }
    }
  }
});

Deno.test("a listed file that occurs twice is code 8", async () => {
  for (const name of all.slice(all.indexOf(indexName) + 1)) {
    const { code, found } = await verifyStream(
      await streamOf(made, withEntry({ path: name, content: other }, all.length)),
      made,
    );
    assert.deepEqual([code, found], [8, [`entry_unexpected ${name}`]]);
  }
});

/** The HMAC envelope of the manifest. */
function envelope(): Uint8Array {
  const bytes = made.files.get(manifestName)!;
  const { profile, tenant, created } = readManifest(bytes);
  const statement = encodeStatement({
    bundleDigest: bundleDigest(bytes),
    version: "1",
    parameters: { profile, tenant, created, compression: "zstd", layout: "archive" },
    sources: [],
  });
  return signWithSecret(secretFrom(newSecret(), "shared.key"), statement);
}

Deno.test("without a secret, an HMAC envelope must belong to this manifest and stand once before the index", async () => {
  const content = envelope();
  const place = all.indexOf(indexName);
  const right = await streamOf(made, withEntry({ path: hmacName, content }, place));
  assert.deepEqual(await verifyStream(right, made), { code: 0, found: [] });
  for (let at = 1; at <= all.length; at++) {
    const wrong = at === place ? other : content;
    const bytes = await streamOf(made, withEntry({ path: hmacName, content: wrong }, at));
    const { code, found } = await verifyStream(bytes, made);
    // Before the attestation it is read in place of the attestation.
    assert.equal(code, 8, `${at}: ${found}`);
    assert.match(found.join(), /entry_unexpected manifest\.json\.(hmac|sigstore)\.json/);
  }
});

Deno.test("an entry with a mode or time other than the bundle's is code 8", async () => {
  for (const path of all) {
    const entries = (change: Partial<Entry>) =>
      all.map((one) => one === path ? { path, ...change } : one);
    for (const mode of [0o6777, 0o600, 0o755, 0o444, 0]) {
      const { code, found } = await verifyStream(await streamOf(made, entries({ mode })), made);
      assert.deepEqual([code, found], [8, [`mode_differs ${path}`]], mode.toString(8));
    }
    for (const time of [0, mtime - 1, mtime + 1]) {
      const { code, found } = await verifyStream(
        await streamOf(made, entries({ mtime: time })),
        made,
      );
      assert.deepEqual([code, found], [8, [`mtime_differs ${path}`]], String(time));
    }
  }
});

Deno.test("another time is code 8 even if all entries have it", async () => {
  const entries = all.map((path) => ({ path, mtime: mtime + 7 }));
  const { code, found } = await verifyStream(await streamOf(made, entries), made);
  assert.equal(code, 8);
  assert.deepEqual(found, all.map((path) => `mtime_differs ${path}`).sort());
});

Deno.test("a program must have mode 755 in the stream", async () => {
  const program = makeBundle({
    manifest: (m) => {
      const { size, sha256 } = m.files.find(({ path }) => path === "VERIFY.txt")!;
      m.files.push({ path: "stella", role: "program", executable: true, size, sha256 });
    },
  });
  program.files.set("stella", program.files.get("VERIFY.txt")!);
  const entries = (mode: number) =>
    order(program).map((path) => path === "stella" ? { path, mode } : path);
  const right = await streamOf(program, entries(0o755));
  assert.deepEqual(await verifyStream(right, program), { code: 0, found: [] });
  const plain = await verifyStream(await streamOf(program, entries(0o644)), program);
  assert.deepEqual(plain, { code: 8, found: ["mode_differs stella"] });
});

Deno.test("findings about a stream beyond ten thousand are counted but not kept", async () => {
  const header = (await streamOf(made, [{ path: "zzz", content: new Uint8Array() }])).subarray(
    0,
    512,
  );
  const whole = await streamOf(made);
  const foreign = new Uint8Array(10_500 * 512);
  for (let at = 0; at < foreign.length; at += 512) foreign.set(header, at);
  const bytes = new Uint8Array(whole.length + foreign.length);
  bytes.set(whole.subarray(0, -1024));
  bytes.set(foreign, whole.length - 1024);
  const { code, found } = await verifyStream(bytes, made, 65_536);
  assert.equal(code, 8);
  assert.equal(found.filter((one) => one === "entry_unexpected zzz").length, 10_000);
  assert.equal(found.filter((one) => one === "more_findings undefined").length, 1);
});
