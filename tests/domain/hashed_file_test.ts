/**
 * A text file written through one buffer: bytes, size and digest, including text longer than the
 * buffer.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { StellaError } from "../../src/domain/errors.ts";
import { sha256 } from "../../src/domain/hash.ts";
import { HashedFile } from "../../src/domain/hashed_file.ts";

Deno.test("a hashed file contains the added text, even if it is longer than the buffer", () => {
  const directory = Deno.makeTempDirSync({ prefix: "stella-hashed-" });
  try {
    const path = join(directory, "lines");
    // Characters of one to four bytes cross the end of the buffer at every offset.
    const lines = ["", "a", "é€😀".repeat(100_000), "x".repeat(256 * 1024), "last"];
    const file = new HashedFile(path, 0o644);
    const written = lines.map((line) => file.addLine(line));
    const { size, sha256: digest } = file.end();
    file.sync();
    file.close();
    const expected = new TextEncoder().encode(lines.map((line) => `${line}\n`).join(""));
    assert.deepEqual(Deno.readFileSync(path), expected);
    assert.deepEqual([size, digest], [expected.length, sha256(expected)]);
    assert.deepEqual(written, [false, false, true, true, false]);
    assert.throws(
      () => new HashedFile(path, 0o644),
      (error) => error instanceof StellaError && error.reason === "output_exists",
    );
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
});
