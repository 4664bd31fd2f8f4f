/**
 * The stand-in for @std/tar: the digests below are of what @std/tar 0.1.10 itself wrote for the
 * same entries.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { TarStream, type TarStreamInput } from "@std/tar";
import { requiring, tool } from "../support/needs.ts";

const mtime = 1767225600;

function file(path: string, text: string, extra: Partial<{ size: number }> = {}): TarStreamInput {
  const readable = new Blob([text]).stream();
  return { type: "file", path, size: text.length, readable, options: { mtime }, ...extra };
}

function tar(inputs: TarStreamInput[]): ReadableStream<Uint8Array<ArrayBuffer>> {
  return ReadableStream.from(inputs).pipeThrough(new TarStream());
}

async function bytesOf(stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<Uint8Array> {
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

async function headerOf(input: TarStreamInput): Promise<string> {
  const { value } = await tar([input]).getReader({ mode: "byob" }).read(new Uint8Array(512));
  return createHash("sha256").update(value ?? "").digest("hex");
}

const long = `a/b/c/d/${"g".repeat(95)}`;
const headers: [string, TarStreamInput, string][] = [
  [
    "a file",
    file("osv/GHSA-1.json", "hello"),
    "b0577d02f018c81d3cada9de433ac4e662d538eefb62553b85387e46c3c2cc0e",
  ],
  [
    "a path cut at its leftmost possible slash",
    file(long, ""),
    "9b72687afc667f212c96c2d3a88af9dade2f2e2c740778cb51873ff2baf7f1a5",
  ],
  [
    "a file above 8 GiB",
    { ...file("big", "", { size: 8 ** 11 + 1 }), options: { mtime: 1 } },
    "a61283b4782833fc8a7bc31f7863e92eed7abdec44de21dd100cd52dcbb5ddae",
  ],
];
for (const [name, input, expected] of headers) {
  Deno.test(`TarStream writes @std/tar's header of ${name}`, async () => {
    assert.equal(await headerOf(input), expected);
  });
}

Deno.test("TarStream pads content to blocks and ends with two zero blocks", async () => {
  const archive = await bytesOf(tar([file("one", "x".repeat(513)), file("two", "")]));
  assert.equal(archive.length, 512 + 1024 + 512 + 1024);
  assert.ok(archive.subarray(512 + 513, 1536).every((byte) => byte === 0));
  assert.ok(archive.subarray(-1024).every((byte) => byte === 0));
});

Deno.test("TarStream does not change the caller's options and bytes", async () => {
  const [content, options] = [new Uint8Array([1, 2, 3]), {}];
  const readable = ReadableStream.from([content]);
  await bytesOf(tar([{ type: "file", path: "f", size: 3, readable, options }]));
  assert.deepEqual([content.length, options], [3, {}]);
});

Deno.test("TarStream serves a reader with a dirty buffer of its own", async () => {
  const reader = tar([file("short", "abc")]).getReader({ mode: "byob" });
  const { value } = await reader.read(new Uint8Array(512).fill(0xaa));
  assert.deepEqual([...value?.subarray(5, 100) ?? []], new Array(95).fill(0));
});

for (const size of [2, 4]) {
  Deno.test(`TarStream refuses a file of 3 bytes that was declared with ${size}`, async () => {
    await assert.rejects(
      bytesOf(tar([file("f", "abc", { size })])),
      new RegExp(`its size is ${size}, found`),
    );
  });
}

Deno.test("TarStream cancels a file's stream when the reader cancels or the header is refused", async () => {
  const cancelled: string[] = [];
  const input = (path: string): TarStreamInput => {
    const readable = new ReadableStream({ cancel: () => void cancelled.push(path) });
    return { type: "file", path, size: 1, readable };
  };
  const reader = tar([input("gone")]).getReader();
  await reader.read();
  await reader.cancel();
  await assert.rejects(bytesOf(tar([input("x".repeat(101))])), RangeError);
  assert.deepEqual(cancelled, ["gone", "x".repeat(101)]);
});

Deno.test("TarStream refuses invalid sizes", async () => {
  for (const size of [-1, NaN, 1.5, 8 ** 12]) {
    await assert.rejects(headerOf(file("f", "", { size })), /below 64 GiB/);
  }
});

Deno.test("TarStream accepts a path that fits into 155 and 100 bytes, and refuses others", async () => {
  for (const path of ["", "a".repeat(100), long, `${"p".repeat(155)}/${"n".repeat(99)}`]) {
    await headerOf(file(path, ""));
  }
  for (const path of ["a".repeat(101), `a/${"n".repeat(100)}`, `a/${"b/".repeat(130)}`]) {
    await assert.rejects(headerOf(file(path, "")), RangeError);
  }
  await assert.rejects(headerOf(file(`${"p".repeat(156)}/${"n".repeat(99)}`, "")), TypeError);
});

Deno.test("TarStream names the option that does not fit its field", async () => {
  const options = { mode: 0o777777, mtime: 8 ** 11 - 1 };
  await headerOf({ ...file("f", ""), options });
  for (const [name, value] of Object.entries({ mode: 8 ** 6, mtime: -1 })) {
    const input = { ...file("f", ""), options: { [name]: value } };
    await assert.rejects(headerOf(input), new RegExp(` ${name} `));
  }
});

Deno.test(requiring(["tar"], "GNU tar lists what TarStream wrote", async () => {
  const archive = await bytesOf(tar([
    file(long, "abc"),
    { ...file("run", "#!"), options: { mtime, mode: 0o755 } },
  ]));
  const list = spawnSync(tool("tar") ?? "", ["-tvf", "-", "--utc", "--full-time"], {
    input: archive,
  });
  assert.equal(list.stderr.toString(), "");
  assert.deepEqual(
    list.stdout.toString().trimEnd().split("\n").map((line) => line.replace(/ +/g, " ")),
    [
      `-rw-r--r-- 0/0 3 2026-01-01 00:00:00 ${long}`,
      "-rwxr-xr-x 0/0 2 2026-01-01 00:00:00 run",
    ],
  );
}));
