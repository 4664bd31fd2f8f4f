/** Files of a stored bundle over HTTP. The bundle is a real one, made by the export itself. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { run } from "../support/run_export.ts";
import { Bench } from "./bench.ts";

const sha256 = (bytes: Uint8Array | string) => createHash("sha256").update(bytes).digest("hex");

/** A bench with one finished export, whose bundle is stored. */
async function stored(layout: "archive" | "directory" = "archive") {
  const bench = new Bench();
  const { job } = bench.queue.enqueue({ tenant: "default", profile: "kit", request: {} });
  const running = bench.queue.claim()!;
  const staging = bench.store.begin(job.id);
  const sample = fileURLToPath(new URL("../fixtures/sample", import.meta.url));
  const { bundleDigest } = await run(staging, sample, { profile: "kit", layout });
  const of = { tenant: "default", profile: "kit", exportId: job.id };
  const place = bench.store.commit(of);
  bench.queue.finish(running, { state: "succeeded", bundleDigest });
  const path = (rest: string) => `/v1/exports/${job.id}/${rest}`;
  return { bench, of, place, bundleDigest, path };
}

/** The files in a tar whose names are short; it has to end with two zero blocks. */
function* entriesOf(tar: Uint8Array): Generator<{ path: string; content: Uint8Array }> {
  const text = (from: number, to: number) => new TextDecoder().decode(tar.subarray(from, to));
  let at = 0;
  for (; tar[at] !== 0; at += 512) {
    const [path = ""] = text(at, at + 100).split("\0");
    const size = parseInt(text(at + 124, at + 136), 8);
    at += 512;
    yield { path, content: tar.subarray(at, at + size) };
    at += Math.ceil(size / 512) * 512 - 512;
  }
  assert.deepEqual(tar.subarray(at), new Uint8Array(1024));
}

Deno.test("the list names every file beside the manifest with its size and digest", async () => {
  const { bench, place, path } = await stored();
  using _ = bench;
  const { items } = await (await bench.get(path("files"))).json();
  const names = [...Deno.readDirSync(place)].map(({ name }) => name);
  assert.deepEqual(items.map((one: { path: string }) => one.path).toSorted(), names.toSorted());
  for (const { path: name, size, sha256: digest } of items) {
    const bytes = Deno.readFileSync(join(place, name));
    assert.deepEqual([size, digest], [bytes.length, sha256(bytes)], name);
  }
});

Deno.test("a file is sent whole with its ETag, and not again to a client that has it", async () => {
  const { bench, place, path } = await stored();
  using _ = bench;
  const answer = await bench.get(path("files/kit.tar.zst"));
  const bytes = Deno.readFileSync(join(place, "kit.tar.zst"));
  assert.equal(answer.status, 200);
  assert.deepEqual(await answer.bytes(), bytes);
  assert.equal(answer.headers.get("content-length"), String(bytes.length));
  assert.equal(answer.headers.get("etag"), `"${sha256(bytes)}"`);
  for (const tag of [`"${sha256(bytes)}"`, `"x", W/"${sha256(bytes)}"`, "*"]) {
    const again = await bench.get(path("files/kit.tar.zst"), { "if-none-match": tag });
    assert.deepEqual([again.status, await again.text()], [304, ""], tag);
  }
});

Deno.test("a download is audited with its file; a list, a HEAD and a 304 are not", async () => {
  const { bench, of, path, bundleDigest } = await stored();
  using _ = bench;
  const file = path("files/manifest.json");
  const answer = await bench.get(file);
  await answer.body?.cancel();
  const match = { "if-none-match": answer.headers.get("etag")! };
  assert.equal((await bench.get(file, match)).status, 304);
  assert.equal((await bench.get(file, { range: "bytes=99999999-" })).status, 416);
  await (await bench.get(path("files"))).text();
  for (const one of [file, path("bundle.tar")]) {
    await bench.app.request(`http://127.0.0.1:8420${one}`, { method: "HEAD" });
  }
  await (await bench.get(path("bundle.tar"))).body?.cancel();
  const audit = { severity: "INFO", event: "audit.download", actor: "anonymous" };
  assert.deepEqual(bench.audited, [
    { ...audit, ...of, bundleDigest, path: "manifest.json" },
    { ...audit, ...of, bundleDigest },
  ]);
  const events = bench.timeline.list({ tenant: "default", limit: 9 });
  assert.deepEqual(events.map(({ stage, attributes }) => [stage, attributes]), [
    ["downloaded", { actor: "anonymous" }],
  ]);
});

Deno.test("a single range is served, several are not, and one beyond the end is 416", async () => {
  const { bench, place, path } = await stored();
  using _ = bench;
  const bytes = Deno.readFileSync(join(place, "manifest.json"));
  const size = bytes.length;
  const ask = (range: string, more: Record<string, string> = {}) =>
    bench.get(path("files/manifest.json"), { range, ...more });
  const cases: [string, number, number][] = [
    ["bytes=0-0", 0, 1],
    ["bytes=10-19", 10, 20],
    ["bytes=10-", 10, size],
    ["bytes=-7", size - 7, size],
    [`bytes=-${size * 9}`, 0, size],
    [`bytes=5-${size * 9}`, 5, size],
  ];
  for (const [range, from, to] of cases) {
    const answer = await ask(range);
    assert.equal(answer.status, 206, range);
    assert.deepEqual(await answer.bytes(), bytes.slice(from, to), range);
    assert.equal(answer.headers.get("content-range"), `bytes ${from}-${to - 1}/${size}`);
  }
  for (const range of ["bytes=0-1,3-4", "bytes=9-1", "bytes=-", "lines=1-2", "bytes=x-1"]) {
    assert.deepEqual([(await ask(range)).status, range], [200, range]);
  }
  for (const range of [`bytes=${size}-`, "bytes=-0"]) {
    const answer = await ask(range);
    assert.deepEqual([answer.status, answer.headers.get("content-range")], [
      416,
      `bytes */${size}`,
    ]);
  }
  const other = await ask("bytes=0-0", { "if-range": '"another"' });
  assert.equal(other.status, 200, "the file is another one by now");
  const same = await ask("bytes=0-0", { "if-range": `"${sha256(bytes)}"` });
  assert.equal(same.status, 206);
});

Deno.test("HEAD returns the headers of GET and opens no file", async () => {
  const { bench, place, path } = await stored();
  using _ = bench;
  const size = Deno.statSync(join(place, "manifest.json")).size;
  const answer = await bench.app.request(`http://localhost${path("files/manifest.json")}`, {
    method: "HEAD",
  });
  assert.deepEqual(
    [answer.status, answer.headers.get("content-length"), await answer.text()],
    [200, String(size), ""],
  );
});

Deno.test("paths outside the bundle and unlisted files are not served", async () => {
  const { bench, place, path } = await stored();
  using _ = bench;
  Deno.writeTextFileSync(join(place, "stranger.txt"), "x");
  const paths = ["stranger.txt", "..%2f..%2fstella.db", "%2e%2e/%2e%2e/stella.db", "/etc/passwd"];
  for (const one of [...paths, "manifest.json/", "payload/x", "", "manifest.json%00"]) {
    const answer = await bench.get(path(`files/${one}`));
    // Dots that the URL itself resolves make it the address of another thing, whose id is none.
    assert.equal(answer.status, one.startsWith("%2e") ? 400 : 404, one);
    await answer.body?.cancel();
  }
});

Deno.test("each file of a directory bundle can be downloaded, with the digest in the index", async () => {
  const { bench, place, path } = await stored("directory");
  using _ = bench;
  const index = Deno.readTextFileSync(join(place, "SHA256SUMS")).trim().split("\n");
  assert.ok(index.length > 1);
  for (const line of index) {
    const [digest, name = ""] = line.split("  ");
    const answer = await bench.get(path(`files/payload/${name}`));
    assert.deepEqual([answer.status, sha256(await answer.bytes())], [200, digest], name);
  }
  assert.equal((await bench.get(path("files/payload/none"))).status, 404);
  assert.equal((await bench.get(path("files/payload"))).status, 404);
  assert.equal((await bench.get(path("bundle.tar"))).status, 409);
});

Deno.test("bundle.tar is the whole bundle, manifest first, in equal bytes each time", async () => {
  const { bench, place, path, bundleDigest } = await stored();
  using _ = bench;
  const answer = await bench.get(path("bundle.tar"));
  assert.deepEqual([answer.status, answer.headers.get("content-type")], [200, "application/x-tar"]);
  const bytes = await answer.bytes();
  assert.equal(answer.headers.get("content-length"), String(bytes.length));
  const names: string[] = [];
  for (const { path, content } of entriesOf(bytes)) {
    names.push(path);
    assert.deepEqual(content, new Uint8Array(Deno.readFileSync(join(place, path))), path);
  }
  assert.deepEqual(names.slice(0, 3), [
    "manifest.json",
    "manifest.json.sigstore.json",
    "SHA256SUMS",
  ]);
  const { files } = JSON.parse(Deno.readTextFileSync(join(place, "manifest.json")));
  const listed = files.map((one: { path: string }) => one.path);
  assert.deepEqual(names.slice(3), listed.filter((name: string) => name !== "SHA256SUMS"));
  assert.deepEqual(await (await bench.get(path("bundle.tar"))).bytes(), bytes);
  assert.equal(answer.headers.get("etag"), `"${bundleDigest}.tar"`);
});

Deno.test("a truncated file in the store breaks the stream instead of shortening the response", async () => {
  const { bench, place, path } = await stored();
  using _ = bench;
  Deno.truncateSync(join(place, "kit.tar.zst"), 10);
  for (const rest of ["files/kit.tar.zst", "bundle.tar"]) {
    const answer = await bench.get(path(rest));
    await assert.rejects(answer.bytes(), /it has 10 bytes and not/, rest);
  }
});

Deno.test("a missing bundle is reported with the reason", async () => {
  const { bench, of, path } = await stored();
  using _ = bench;
  const detail = async (url: string) => (await (await bench.get(url)).json()).detail;
  bench.store.remove(of);
  assert.match(await detail(path("files")), /it was removed/);
  const { job } = bench.queue.enqueue({ tenant: "default", profile: "kit", request: {} });
  assert.match(await detail(`/v1/exports/${job.id}/bundle.tar`), /it is queued/);
});

Deno.test("a stored bundle with a missing or another manifest is a server error, and the log has the path", async () => {
  const { bench, place, path } = await stored();
  using _ = bench;
  const faults = [
    [() => Deno.writeTextFileSync(join(place, "manifest.json"), "{"), "manifest"],
    [() => Deno.removeSync(join(place, "manifest.json")), "io"],
  ] as const;
  for (const [damage, code] of faults) {
    damage();
    for (const rest of ["files", "files/kit.tar.zst", "bundle.tar"]) {
      const answer = await bench.get(path(rest));
      const text = await answer.text();
      assert.deepEqual([answer.status, JSON.parse(text).code], [500, code], rest);
      assert.doesNotMatch(text, new RegExp(`${bench.directory}|no such file`), rest);
    }
  }
  assert.equal(bench.faults.length, 6);
  assert.match(String(bench.faults.at(-1)), new RegExp(`${place}.*: no such file`));
});

Deno.test("the path of an unwritable store is only in the log", async () => {
  const { bench, path } = await stored();
  using _ = bench;
  const place = join(bench.directory, "tmp");
  Deno.removeSync(place, { recursive: true });
  Deno.writeTextFileSync(place, "not a directory");
  const url = `http://127.0.0.1${path("").replace(/\/$/, "")}`;
  const answer = await bench.app.request(url, { method: "DELETE" });
  const text = await answer.text();
  assert.deepEqual([answer.status, JSON.parse(text).code], [500, "io"]);
  assert.doesNotMatch(text, new RegExp(`${bench.directory}|exists already`));
  assert.match(String(bench.faults[0]), /Cannot remove the bundle in .*: it exists already/);
});
