import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { constants, zstdCompressSync } from "node:zlib";
import { chunkSize } from "../../src/bundle/manifest.ts";
import { compressChunk, decompressChunk, maxStoredSize } from "../../src/bundle/zstd_chunk.ts";
import { always, fc } from "../support/property.ts";

/** Bytes without any pattern, the same in every run. */
function noise(length: number): Uint8Array {
  const out = Buffer.alloc(length);
  for (let at = 0, i = 0; at < length; i++) {
    at += createHash("sha512").update(String(i)).digest().copy(out, at);
  }
  return out;
}

/** Counts frames by RFC 8878, independently of the code under test: `[frames, bytes used]`. */
function countFrames(stored: Uint8Array): [number, number] {
  const bytes = Buffer.from(stored);
  let [at, frames] = [0, 0];
  while (at < bytes.length && bytes.readUInt32LE(at) === 0xfd2fb528) {
    const descriptor = bytes[at + 4]!;
    const single = (descriptor & 0x20) !== 0;
    const sizes = [single ? 1 : 0, 2, 4, 8];
    at += 5 + (single ? 0 : 1) + sizes[descriptor >> 6]!;
    for (let last = 0; last === 0;) {
      const header = bytes.readUIntLE(at, 3);
      last = header & 1;
      at += 3 + ((header >> 1 & 3) === 1 ? 1 : header >> 3);
    }
    if ((descriptor & 4) !== 0) at += 4;
    frames++;
  }
  return [frames, at];
}

const lengths = [1, 2, 255, 256, 257, 65_791, 65_792, 131_072, 131_073, 1_000_000, chunkSize - 1];

Deno.test("a chunk is exactly one frame, compressible or not", () => {
  for (const length of [...lengths, chunkSize]) {
    for (const chunk of [new Uint8Array(length), noise(length)]) {
      const stored = compressChunk(chunk);
      assert.deepEqual(countFrames(stored), [1, stored.length], `${length}`);
      assert.ok(stored.length <= maxStoredSize(length), `${length}`);
      assert.ok(Buffer.from(decompressChunk(stored, length)).equals(chunk), `${length}`);
    }
  }
});

Deno.test("compression of the same chunk is deterministic", () => {
  const chunk = noise(300_000);
  assert.deepEqual(
    compressChunk(chunk),
    compressChunk(Buffer.concat([chunk, chunk]).subarray(300_000)),
  );
});

Deno.test("every truncation of a frame is refused", () => {
  const mixed = Buffer.concat([new Uint8Array(3000), noise(700), Buffer.from("text ".repeat(90))]);
  const stored = compressChunk(mixed);
  for (let length = 0; length < stored.length; length++) {
    assert.throws(
      () => decompressChunk(stored.subarray(0, length), mixed.length),
      /is truncated|not a zstd frame/,
      `${length} of ${stored.length}`,
    );
  }
});

interface Frame {
  magic?: number;
  /** Bits of the frame header descriptor besides content size and single segment. */
  bits?: number;
  single?: boolean;
  window?: number;
  /** Declared content size, in the encoding of `sizeFlag`. */
  size: number;
  sizeFlag?: 0 | 1 | 2 | 3;
  blocks?: Buffer[];
  tail?: Buffer;
}

/** A handmade frame. */
function frame(options: Frame): Buffer {
  const { magic = 0xfd2fb528, bits = 0, single = true, window = 0, size, sizeFlag = 3 } = options;
  const head = Buffer.alloc(5);
  head.writeUInt32LE(magic);
  head[4] = sizeFlag << 6 | (single ? 0x20 : 0) | bits;
  const stated = Buffer.alloc(8);
  stated.writeBigUInt64LE(BigInt(sizeFlag === 1 ? size - 256 : size));
  const width = sizeFlag === 0 ? (single ? 1 : 0) : 1 << sizeFlag;
  return Buffer.concat([
    head,
    single ? Buffer.alloc(0) : Buffer.of(window),
    stated.subarray(0, width),
    ...options.blocks ?? [block(0, Buffer.alloc(size, 0x61), true)],
    options.tail ?? Buffer.alloc(0),
  ]);
}

/** Type 0 raw, 1 repeated byte (`size` times), 2 compressed, 3 reserved. */
function block(type: number, body: Buffer, last: boolean, size = body.length): Buffer {
  const header = Buffer.alloc(3);
  header.writeUIntLE(size << 3 | type << 1 | (last ? 1 : 0), 0, 3);
  return Buffer.concat([header, body]);
}

const a300 = Buffer.alloc(300, 0x61);

Deno.test("handmade valid frames are accepted", () => {
  const good: [string, Buffer, Buffer][] = [
    ["raw, 8-byte size", frame({ size: 300 }), a300],
    ["raw, 4-byte size", frame({ size: 300, sizeFlag: 2 }), a300],
    ["raw, 2-byte size", frame({ size: 300, sizeFlag: 1 }), a300],
    ["raw, 1-byte size", frame({ size: 20, sizeFlag: 0 }), a300.subarray(0, 20)],
    ["a window of 8 MiB", frame({ size: 300, single: false, window: 13 << 3 }), a300],
    ["a repeated byte", frame({ size: 300, blocks: [block(1, Buffer.of(0x61), true, 300)] }), a300],
    [
      "two blocks",
      frame({
        size: 300,
        blocks: [block(0, a300.subarray(200), false), block(0, a300.subarray(100), true)],
      }),
      a300,
    ],
  ];
  for (const [about, stored, expected] of good) {
    assert.ok(Buffer.from(decompressChunk(stored, expected.length)).equals(expected), about);
  }
});

Deno.test("invalid frames are refused with the reason before they are decoded", () => {
  const good = frame({ size: 300 });
  const refused: [string, Buffer, RegExp][] = [
    ["nothing", Buffer.alloc(0), /not a zstd frame/],
    ["another magic", frame({ size: 300, magic: 0xfd2fb527 }), /not a zstd frame/],
    ["a skippable frame", frame({ size: 300, magic: 0x184d2a50 }), /not a zstd frame/],
    ["a frame of zstd 0.7", frame({ size: 300, magic: 0xfd2fb527 }), /not a zstd frame/],
    ["a second frame", Buffer.concat([good, good]), /bytes follow/],
    [
      "an empty second frame",
      Buffer.concat([good, compressChunk(Buffer.alloc(0))]),
      /bytes follow/,
    ],
    [
      "a skippable frame behind",
      Buffer.concat([good, Buffer.from("502a4d1800000000", "hex")]),
      /follow/,
    ],
    ["a byte behind", Buffer.concat([good, Buffer.of(0)]), /bytes follow/],
    ["no content size", frame({ size: 300, single: false, sizeFlag: 0 }), /no content size/],
    [
      "a larger size",
      frame({ size: 301, blocks: [block(0, a300, true)] }),
      /states 301 bytes, not 300/,
    ],
    [
      "a smaller size",
      frame({ size: 299, blocks: [block(0, a300, true)] }),
      /states 299 bytes, not 300/,
    ],
    ["a size of 2^63", frame({ size: 2 ** 63, blocks: [block(0, a300, true)] }), /states 9223372/],
    [
      "a window of 16 MiB",
      frame({ size: 300, single: false, window: 14 << 3 }),
      /window is too large/,
    ],
    ["the largest window", frame({ size: 300, single: false, window: 255 }), /window is too large/],
    [
      "a window just above",
      frame({ size: 300, single: false, window: 13 << 3 | 1 }),
      /window is too/,
    ],
    ["a dictionary", frame({ size: 300, bits: 1 }), /dictionary/],
    ["the reserved bit", frame({ size: 300, bits: 8 }), /reserved bit/],
    ["a reserved block", frame({ size: 300, blocks: [block(3, a300, true)] }), /reserved type/],
    ["no last block", frame({ size: 300, blocks: [block(0, a300, false)] }), /is truncated/],
    ["a checksum that is not there", frame({ size: 300, bits: 4 }), /is truncated/],
  ];
  for (const [about, stored, reason] of refused) {
    assert.throws(() => decompressChunk(stored, 300), reason, about);
  }
});

Deno.test("frames with wrong block sizes are refused by the decoder", () => {
  const lies: [string, Buffer][] = [
    ["fewer bytes than stated", frame({ size: 300, blocks: [block(0, a300.subarray(1), true)] })],
    ["more bytes than stated", frame({ size: 300, blocks: [block(1, Buffer.of(0), true, 4000)] })],
    [
      "a bomb of repeated bytes",
      frame({
        size: 300,
        blocks: Array.from({ length: 1000 }, (_, i) => block(1, Buffer.of(0), i === 999, 131_072)),
      }),
    ],
    ["compressed noise", frame({ size: 300, blocks: [block(2, a300.subarray(50), true)] })],
    ["a wrong checksum", frame({ size: 300, bits: 4, tail: Buffer.alloc(4) })],
  ];
  for (const [about, stored] of lies) {
    assert.throws(() => decompressChunk(stored, 300), Error, about);
  }
});

Deno.test("a frame checksum is accepted if it is valid", () => {
  const chunk = noise(1000);
  const options = {
    pledgedSrcSize: chunk.length,
    chunkSize: maxStoredSize(chunk.length),
    params: { [constants.ZSTD_c_checksumFlag]: 1 },
  };
  const stored = zstdCompressSync(chunk, options);
  assert.ok(Buffer.from(decompressChunk(stored, chunk.length)).equals(chunk));
});

Deno.test("property: a frame with one byte changed never yields another size and is mostly refused", () => {
  const chunk = Buffer.from("one line of text\n".repeat(40));
  const stored = compressChunk(chunk);
  always(
    fc.property(fc.nat(stored.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
      const changed = Buffer.from(stored);
      changed[at]! ^= flip;
      try {
        assert.equal(decompressChunk(changed, chunk.length).length, chunk.length);
      } catch (error) {
        assert.ok(
          error instanceof Error && !(error instanceof assert.AssertionError),
          String(error),
        );
      }
    }),
    1000,
  );
});
