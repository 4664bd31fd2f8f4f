/**
 * A bundle as one stream: the output of TarStream is verified like the same bundle in a directory,
 * and everything else is refused.
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { attestationName, chunkSize, indexName, manifestName } from "../../src/bundle/manifest.ts";
import { comparePaths } from "../../src/domain/paths.ts";
import { readStreamHeader } from "../../src/bundle/stream_header.ts";
import { maxBufferedIndexBytes } from "../../src/bundle/stream_source.ts";
import { encodeHeader } from "../../src/bundle/tar_header.ts";
import { bundles } from "../support/tampered.ts";
import { makeBundle, mtime } from "../support/bundle_fixture.ts";
import { order, streamOf, verifyStream } from "../support/bundle_stream.ts";

const archives = ["plain", "zstd", "volumes", "plainVolumes"] as const;
for (const form of archives) {
  Deno.test(`the stream of a bundle is verified (${form})`, async () => {
    const made = bundles[form]!;
    const max = form.endsWith("olumes") ? 65_536 : 511;
    assert.deepEqual(await verifyStream(await streamOf(made), made, max), { code: 0, found: [] });
  });
}

Deno.test("an archive whose name sorts before the index and the documents follows both in the stream", async () => {
  const made = makeBundle({
    manifest: (m) => m.files.sort((a, b) => comparePaths(a.path, b.path)),
  });
  const files = new Map(made.files);
  assert.ok(comparePaths("VERIFY.txt", "p.tar") < 0, "the documents come first here");
  const zero = makeBundle({
    manifest: (m) => {
      m.profile = "0day";
      m.files.find(({ role }) => role === "archive")!.path = "0day.tar";
      m.files.sort((a, b) => comparePaths(a.path, b.path));
    },
  });
  zero.files.set("0day.tar", files.get("p.tar")!);
  zero.files.delete("p.tar");
  assert.deepEqual(order(zero).slice(-2), ["0day.tar", "VERIFY.txt"]);
  assert.deepEqual(await verifyStream(await streamOf(zero), zero), { code: 0, found: [] });
});

Deno.test("missing, unexpected and misplaced files of a stream are reported", async () => {
  const made = bundles["zstd"]!;
  const all = order(made);
  const without = (name: string) => all.filter((one) => one !== name);
  const cases: [string, string[], number, string[]][] = [
    ["no attestation", without(attestationName), 5, [`attestation_missing ${attestationName}`]],
    ["no document", without("VERIFY.txt"), 6, ["file_missing VERIFY.txt"]],
    ["no archive", without("p.tar.zst"), 6, ["file_missing p.tar.zst", "not_judged a.txt"]],
    ["no index", without(indexName), 6, [`file_missing ${indexName}`]],
    ["an unexpected file between", [...all.slice(0, 3), "A", ...all.slice(3)], 8, [
      "entry_unexpected A",
    ]],
    ["an unexpected file last", [...all, "zzz"], 8, ["entry_unexpected zzz"]],
    ["a file twice", [...all, "p.tar.zst"], 8, ["entry_unexpected p.tar.zst"]],
    ["the archive before the document", [...all.slice(0, 3), ...all.slice(3).reverse()], 8, [
      "entry_unexpected VERIFY.txt",
      "file_missing VERIFY.txt",
    ]],
  ];
  for (const [name, names, code, found] of cases) {
    assert.deepEqual(await verifyStream(await streamOf(made, names), made), { code, found }, name);
  }
});

Deno.test("a stream that does not start with the manifest is refused", async () => {
  const made = bundles["zstd"]!;
  const bad: [string, Uint8Array, RegExp][] = [
    ["nothing", new Uint8Array(), /no manifest\.json in it/],
    ["end blocks alone", new Uint8Array(1024), /no manifest\.json in it/],
    ["text", Buffer.alloc(2048, "text"), /not a stella stream \(unexpected data at byte 0\)/],
    ["another file first", await streamOf(made, [indexName, manifestName]), /no manifest\.json/],
  ];
  for (const [name, bytes, message] of bad) {
    const { code, found } = await verifyStream(bytes, made);
    assert.equal(code, 3, name);
    assert.match(found.join(), message, name);
  }
});

Deno.test("a stream that ends early is refused, and it is reported as truncated if files were still due", async () => {
  const made = bundles["zstd"]!;
  const whole = await streamOf(made);
  const later = (await streamOf(made, order(made).slice(0, 3))).length - 1024;
  for (let length = 0; length < whole.length; length += 97) {
    const { code, found } = await verifyStream(whole.subarray(0, length), made);
    assert.notEqual(code, 0, `${length}`);
    if (length > later) assert.match(found.join(), /truncated/, `${length}: ${code} ${found}`);
  }
  const { code, found } = await verifyStream(whole.subarray(0, -1), made);
  assert.deepEqual([code, found], [10, ["truncated bundle.tar"]]);
});

Deno.test("every changed or added byte of a stream is detected, including padding and end", async () => {
  const made = bundles["zstd"]!;
  const whole = await streamOf(made);
  for (let at = 0; at < whole.length; at += 7) {
    const bytes = Buffer.from(whole);
    bytes[at]! ^= 1 << (at % 8);
    const { code } = await verifyStream(bytes, made);
    assert.notEqual(code, 0, `byte ${at}`);
  }
  for (const more of [1, 512, 10_240]) {
    const { code, found } = await verifyStream(Buffer.concat([whole, Buffer.alloc(more)]), made);
    assert.deepEqual([code, found], [8, ["trailing_data bundle.tar"]], `${more} zero bytes`);
  }
});

Deno.test("a file that is longer than the manifest declares is refused at every position", async () => {
  const made = bundles["plain"]!;
  for (const name of order(made).slice(2)) {
    const files = new Map(made.files);
    files.set(name, Buffer.concat([files.get(name)!, Buffer.from("x")]));
    const { code, found } = await verifyStream(await streamOf({ ...made, files }), made);
    assert.ok([7, 8].includes(code), `${name}: ${code}`);
    assert.match(found.join(), /trailing_data|size_differs/, name);
  }
});

Deno.test("an index that is too large to buffer is refused before it is read", async () => {
  const made = bundles["plain"]!;
  const start = await streamOf(made, [manifestName, attestationName]);
  const entry = { path: indexName, size: maxBufferedIndexBytes + 1, mode: 0o644, mtime };
  const bytes = Buffer.concat([start.subarray(0, -1024), encodeHeader(entry)]);
  const { code, found } = await verifyStream(bytes, made);
  assert.equal(code, 2);
  assert.match(found.join(), /its index has 134217729 bytes, and at most 134217728 are held/);
});

Deno.test("a stream of a bundle with the layout `directory` is refused", async () => {
  const made = bundles["directory"]!;
  const names = order(made).filter((name) => !name.startsWith("payload/"));
  const { code, found } = await verifyStream(await streamOf(made, names), made);
  assert.equal(code, 2);
  assert.match(found.join(), /its layout is directory/);
});

Deno.test("sizes of 8 GiB and more are read as TarStream writes them, and other encodings are refused", () => {
  const header = Buffer.from(encodeHeader({ path: "p.tar", size: 0, mode: 0o644, mtime }));
  const withSize = (field: string) => {
    const block = Buffer.from(header);
    block.write(field, 124, "latin1");
    block.fill(0x20, 148, 156);
    const sum = block.reduce((all, byte) => all + byte, 0);
    block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
    return readStreamHeader(block)?.size;
  };
  assert.equal(withSize("00000000017 "), 15);
  assert.equal(withSize("100000000000"), 8 ** 11);
  assert.equal(withSize("770000000000"), 63 * 8 ** 10);
  for (
    const field of ["000000000017", "00000000017\0", "      17    ", "\x80\0\0\0\0\0\0\0\0\0\0\x01"]
  ) {
    assert.equal(withSize(field), undefined, JSON.stringify(field));
  }
  assert.equal(chunkSize % 512, 0);
});
