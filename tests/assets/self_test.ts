import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { checkBeside, checkSelf, encodePlaces, trailerMagic } from "../../src/assets/self.ts";

/** A file with the trailer of a portable stella, larger than the reader's buffer. */
function sample(): Buffer {
  const program = Buffer.alloc(1_500_000, "program");
  const places = { imageOffset: 4096, imageSize: 2 ** 33, scriptOffset: 1_000_000, scriptSize: 7 };
  const covered = Buffer.concat([program, encodePlaces(places)]);
  const digest = createHash("sha256").update(covered).digest();
  return Buffer.concat([covered, digest, Buffer.from(trailerMagic)]);
}

async function check(bytes: Uint8Array) {
  const directory = mkdtempSync(`${tmpdir()}/stella-self-`);
  try {
    writeFileSync(`${directory}/stella`, bytes);
    const { digestFile, ...rest } = await checkSelf(`${directory}/stella`);
    assert.equal(digestFile, `${directory}/stella`);
    return rest;
  } finally {
    rmSync(directory, { recursive: true });
  }
}

Deno.test("an unchanged file matches its digest", async () => {
  const bytes = sample();
  const expected = bytes.toString("hex", bytes.length - 40, bytes.length - 8);
  assert.deepEqual(await check(bytes), { ok: true, expected, found: expected });
});

Deno.test("a changed byte is detected at every position", async () => {
  const length = sample().length;
  for (const at of [0, 700_000, 1_499_999, length - 72, length - 41, length - 40, length - 9]) {
    const bytes = sample();
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    const { ok, expected, found } = await check(bytes);
    assert.deepEqual([ok, expected === found], [false, false], `byte ${at}`);
  }
});

Deno.test("a file without the trailer fails the check and has no expected digest", async () => {
  const whole = sample();
  for (const bytes of [whole.subarray(0, -1), whole.subarray(0, 20), Buffer.alloc(0)]) {
    const { ok, expected, found } = await check(bytes);
    assert.deepEqual([ok, expected], [false, undefined]);
    assert.match(found, /^[0-9a-f]{64}$/);
  }
});

Deno.test("a program without an embedded digest is compared with the digest file beside it", async () => {
  const directory = mkdtempSync(`${tmpdir()}/stella-self-`);
  const [path, digestFile] = [`${directory}/stella`, `${directory}/stella.sha256`];
  const expected = createHash("sha256").update("program").digest("hex");
  const beside = (text: string) => {
    writeFileSync(digestFile, text);
    return checkBeside(path);
  };
  try {
    writeFileSync(path, "program");
    await assert.rejects(checkBeside(path), { kind: "io", message: /no digest at ".*\.sha256"/ });
    const right = { ok: true, digestFile, expected, found: expected };
    for (const end of ["  stella\n", " *dist/stella", "  two words\n"]) {
      assert.deepEqual(await beside(expected + end), right);
    }
    const other = expected.replaceAll("a", "b");
    const wrong = { ok: false, digestFile, expected: other, found: expected };
    assert.deepEqual(await beside(`${other}  stella\n`), wrong);
    const texts = [
      "",
      expected,
      `${expected.slice(1)}  stella`,
      `${expected}  a\n${expected}  b\n`,
    ];
    for (const text of texts) {
      await assert.rejects(beside(text), { message: /no sha256 in / }, text);
    }
  } finally {
    rmSync(directory, { recursive: true });
  }
});

Deno.test("the offsets are 64-bit little-endian integers", () => {
  const places = { imageOffset: 1, imageSize: 2 ** 33, scriptOffset: 3, scriptSize: 4 };
  assert.equal(
    encodePlaces(places).toString("hex"),
    "0100000000000000" + "0000000002000000" + "0300000000000000" + "0400000000000000",
  );
});
