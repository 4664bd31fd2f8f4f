import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { readdirSync, readFileSync, readlinkSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  archiveName,
  type ArchiveOptions,
  ArchiveWriter,
  volumeName,
} from "../../src/bundle/archive_writer.ts";
import { type ChunkPool, localPool } from "../../src/bundle/chunk_pool.ts";
import { sha256 } from "../../src/domain/hash.ts";
import { type BundleFile, chunkSize } from "../../src/bundle/manifest.ts";
import { decompressChunk } from "../../src/bundle/zstd_chunk.ts";
import { requiring } from "../support/needs.ts";
import {
  bytesOf,
  type Entry,
  mtime,
  noPrivateFiles,
  someEntries,
  tarOf,
  withDirectory,
} from "../support/bundle_fixture.ts";

type Options = Omit<ArchiveOptions, "pool" | "privateFiles">;

/**
 * Writes entries as an export does: room, advance, pad. At most `max` bytes are written at a time.
 */
async function write(
  options: Options,
  entries: readonly Entry[],
  max = Infinity,
): Promise<BundleFile[]> {
  const writer = new ArchiveWriter({ ...options, privateFiles: noPrivateFiles, pool: localPool });
  for (const { path, content, mode = 0o644 } of entries) {
    const bytes = bytesOf(content);
    await writer.header({ path, size: bytes.length, mode, mtime });
    for (let at = 0; at < bytes.length;) {
      const room = writer.writable();
      const part = bytes.subarray(at, at + Math.min(room.length, max));
      room.set(part);
      await writer.advance(part.length);
      at += part.length;
    }
    await writer.pad(bytes.length);
  }
  return await writer.finish();
}

function assertDescribes(directory: string, files: BundleFile[]): void {
  assert.deepEqual(readdirSync(directory).sort(), files.map((file) => file.path).sort());
  for (const file of files) {
    const bytes = readFileSync(join(directory, file.path));
    assert.deepEqual([file.size, file.sha256], [bytes.length, sha256(bytes)], file.path);
    let at = 0;
    for (const chunk of file.chunks!) {
      assert.equal(sha256(bytes.subarray(at, at + chunk.size)), chunk.sha256, file.path);
      at += chunk.size;
    }
    assert.equal(at, bytes.length);
  }
}

/** The tar inside a zstd archive, decoded chunk by chunk from their descriptions. */
function unpacked(directory: string, file: BundleFile): Buffer {
  const bytes = readFileSync(join(directory, file.path));
  let [at, left] = [0, file.uncompressedSize!];
  return Buffer.concat(file.chunks!.map(({ size }) => {
    const chunk = decompressChunk(bytes.subarray(at, at + size), Math.min(left, chunkSize));
    [at, left] = [at + size, left - chunk.length];
    return chunk;
  }));
}

/** Incompressible bytes, the same in every run. */
function noise(length: number): Uint8Array {
  let state = 1;
  return new Uint8Array(length).map(() =>
    (state = Math.imul(state, 1_664_525) + 1_013_904_223) >>> 24
  );
}

const large: Entry[] = [
  ...someEntries,
  { path: "e.bin", content: new Uint8Array(2 * chunkSize + 1000).map((_, i) => i >> 7) },
  { path: "e.noise", content: noise(5_000_000) },
  { path: "f.bin", content: new Uint8Array(100) },
];

Deno.test("a plain archive is the tar itself, whatever the size of the writes", async () => {
  for (const max of [1, 7, 512, Infinity]) {
    await withDirectory(async (directory) => {
      const files = await write(
        { directory, name: "p.tar", compression: "none" },
        someEntries,
        max,
      );
      assertDescribes(directory, files);
      assert.ok(readFileSync(join(directory, "p.tar")).equals(tarOf(someEntries)));
    });
  }
});

Deno.test("an archive is split into chunks of 4 MiB, which the description lists completely", async () => {
  for (const compression of ["none", "zstd"] as const) {
    await withDirectory(async (directory) => {
      const name = archiveName("p", compression);
      const [file, ...others] = await write({ directory, name, compression }, large);
      assert.deepEqual(others, []);
      assertDescribes(directory, [file!]);
      const length = tarOf(large).length;
      assert.equal(file!.uncompressedSize, length);
      assert.equal(file!.chunks!.length, Math.ceil(length / chunkSize));
      assert.equal(file!.chunkSize, chunkSize);
      assert.equal(file!.volume, undefined);
      if (compression === "zstd") assert.ok(unpacked(directory, file!).equals(tarOf(large)));
    });
  }
});

Deno.test("volumes end at chunk boundaries, stay within their size and concatenate to the archive", async () => {
  await withDirectory(async (directory) => {
    const volumeSize = 8 * 1024 * 1024;
    const name = archiveName("p", "none");
    const files = await write({ directory, name, compression: "none", volumeSize }, large);
    assert.deepEqual(files.map((file) => file.path), ["p.tar.001", "p.tar.002"]);
    assert.deepEqual(files.map((file) => file.volume), [{ index: 1, of: 2 }, { index: 2, of: 2 }]);
    assertDescribes(directory, files);
    assert.equal(files[0]!.size, volumeSize);
    const joined = Buffer.concat(files.map((file) => readFileSync(join(directory, file.path))));
    assert.ok(joined.equals(tarOf(large)));
  });
});

Deno.test("a single volume is numbered, too", async () => {
  await withDirectory(async (directory) => {
    const options = { directory, name: "p.tar.zst", compression: "zstd", volumeSize: 2 ** 32 - 1 };
    const files = await write(options as Options, someEntries);
    assert.deepEqual(files.map((file) => file.path), ["p.tar.zst.001"]);
    assert.deepEqual(files[0]!.volume, { index: 1, of: 1 });
  });
});

Deno.test("archives and volumes are named after payload, compression and number", () => {
  assert.equal(archiveName("kit", "zstd"), "kit.tar.zst");
  assert.equal(archiveName("kit", "none"), "kit.tar");
  assert.deepEqual([1, 42, 999].map((n) => volumeName("kit.tar", n)), [
    "kit.tar.001",
    "kit.tar.042",
    "kit.tar.999",
  ]);
});

Deno.test("an existing file at the target path is never written to", async () => {
  await withDirectory(async (directory) => {
    writeFileSync(join(directory, "p.tar"), "mine");
    const options = { directory, name: "p.tar", compression: "none" } as const;
    await assert.rejects(write(options, someEntries), /Cannot make .*p\.tar/);
    assert.equal(statSync(join(directory, "p.tar")).size, 4);
  });
});

Deno.test(requiring(["zstd", "tar"], "zstd and tar read the chunks as one archive", async () => {
  await withDirectory(async (directory) => {
    await write({ directory, name: "p.tar.zst", compression: "zstd" }, large);
    const out = await new Deno.Command("sh", {
      args: ["-ec", "zstd -dc p.tar.zst | sha256sum; tar --zstd -tf p.tar.zst | wc -l"],
      cwd: directory,
    }).output();
    const expected = `${sha256(tarOf(large))}  -\n${large.length}\n`;
    assert.equal(new TextDecoder().decode(out.stdout), expected);
  });
}));

Deno.test("an archive of more than 999 volumes is refused, and no file stays open", async () => {
  await withDirectory(async (directory) => {
    // A pool that stores one byte per chunk, so that the volumes need neither memory nor time.
    const pool: ChunkPool = {
      ...localPool,
      digest: (chunk) => Promise.resolve({ stored: chunk.slice(0, 1), sha256: "", digests: [] }),
    };
    const options = { directory, name: "p.tar", compression: "none", volumeSize: 1 } as const;
    const writer = new ArchiveWriter({ ...options, privateFiles: noPrivateFiles, pool });
    for (let i = 0; i < 999; i++) await writer.advance(chunkSize);
    const error = { kind: "usage", message: /more than 999 volumes/, hint: /larger --volume-size/ };
    await assert.rejects(async () => await writer.advance(chunkSize), error);
    writer.abort();
    assert.equal(readdirSync(directory).length, 999);
    assert.deepEqual(openFilesBelow(directory), []);
  });
});

function openFilesBelow(directory: string): string[] {
  return readdirSync("/proc/self/fd").flatMap((fd) => {
    const path = linkOf(join("/proc/self/fd", fd));
    return path?.startsWith(directory) ? [path] : [];
  });
}

/** Undefined for a descriptor that has been closed since, such as that of the listing. */
function linkOf(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}
