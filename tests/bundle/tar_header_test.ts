import { TarStream } from "@std/tar";
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { sha256 } from "../../src/domain/hash.ts";
import { comparePaths, pathFault } from "../../src/domain/paths.ts";
import { blockSize, encodeHeader, paddingOf } from "../../src/bundle/tar_header.ts";
import { requiring } from "../support/needs.ts";
import {
  created,
  type Entry,
  mtime,
  someEntries,
  tarOf,
  withDirectory,
} from "../support/bundle_fixture.ts";
import { alwaysAsync, fc } from "../support/property.ts";

interface Header {
  path: string;
  size: number;
  mode: number;
  mtime: number;
}

/** The first 512 bytes that TarStream writes for an entry; the content is not read. */
async function headerOfTarStream({ path, size, mode, mtime }: Header): Promise<Uint8Array> {
  const readable = new ReadableStream<Uint8Array>();
  const entry = { type: "file" as const, path, size, readable, options: { mode, mtime } };
  const reader = ReadableStream.from([entry]).pipeThrough(new TarStream()).getReader();
  const { value } = await reader.read();
  await reader.cancel();
  return value!.slice(0, blockSize);
}

async function assertSame(header: Header): Promise<void> {
  const expected = await headerOfTarStream(header);
  assert.ok(Buffer.from(expected).equals(encodeHeader(header)), JSON.stringify(header));
}

const some: Header = { path: "a", size: 0, mode: 0o644, mtime };

Deno.test("headers are byte-identical to TarStream's for entries that it can express", async () => {
  const paths = [
    "a",
    "a/b",
    ".hidden",
    "x".repeat(99),
    "x".repeat(100),
    `a/b/c/d/${"g".repeat(92)}`,
    `a/b/c/d/${"g".repeat(95)}`,
    `${"d".repeat(155)}/${"n".repeat(99)}`,
    `${"d".repeat(154)}/${"n".repeat(99)}`,
    `${"e/".repeat(60)}${"n".repeat(90)}`,
    `${"e/".repeat(77)}${"n".repeat(99)}`,
  ];
  for (const path of paths) await assertSame({ ...some, path });
  for (const size of [0, 1, 511, 512, 513, 4 * 1024 ** 3 - 1, 4 * 1024 ** 3, 8 * 1024 ** 3 - 1]) {
    await assertSame({ ...some, size });
  }
  for (const mode of [0o644, 0o755]) await assertSame({ ...some, mode });
  for (const time of [315532800, 2 ** 31 - 1, 2 ** 31, 2 ** 32, 4354819199]) {
    await assertSame({ ...some, mtime: time });
  }
});

const asciiPath = fc.array(fc.stringMatching(/^[a-z0-9_.-]{1,60}$/), { minLength: 1, maxLength: 8 })
  .map((parts) => parts.join("/")).filter((path) => pathFault(path) === undefined);

Deno.test("property: an ASCII path has TarStream's header, or a PAX header where TarStream refuses the path", async () => {
  const size = fc.nat(8 * 1024 ** 3 - 1);
  await alwaysAsync(
    fc.asyncProperty(asciiPath, size, async (path, size) => {
      const header = encodeHeader({ ...some, path, size });
      let expected: Uint8Array;
      try {
        expected = await headerOfTarStream({ ...some, path, size });
      } catch {
        return assert.ok(header.length > blockSize && header[156] === 0x78, path);
      }
      assert.ok(Buffer.from(expected).equals(header), path);
    }),
    500,
  );
});

/**
 * The records of a PAX header, parsed by the rules of POSIX independently of the code under test.
 */
function records(header: Uint8Array): Record<string, string> {
  const bytes = Buffer.from(header);
  assert.equal(bytes.toString("latin1", 156, 157), "x");
  const size = parseInt(bytes.toString("latin1", 124, 135), 8);
  const found: Record<string, string> = {};
  for (let at = blockSize; at < blockSize + size;) {
    const space = bytes.indexOf(" ", at);
    const end = at + Number(bytes.toString("latin1", at, space));
    assert.equal(bytes[end - 1], 10, "a record ends with a line feed where its length says");
    const [, key, value] = /^([^=]*)=([^]*)$/.exec(bytes.toString("utf8", space + 1, end - 1))!;
    found[key!] = value!;
    at = end;
  }
  return found;
}

function name(header: Uint8Array): string {
  return Buffer.from(header).subarray(-blockSize).toString("utf8", 0, 100).replace(/\0+$/, "");
}

Deno.test("PAX records are written only where a path or size needs them", () => {
  const long = "x".repeat(101);
  assert.equal(encodeHeader({ ...some, path: "x".repeat(100) }).length, blockSize);
  assert.deepEqual(records(encodeHeader({ ...some, path: long })), { path: long });
  assert.deepEqual(records(encodeHeader({ ...some, path: "\u00e9" })), { path: "\u00e9" });
  const size = 8 * 1024 ** 3;
  assert.equal(encodeHeader({ ...some, size: size - 1 }).length, blockSize);
  assert.deepEqual(records(encodeHeader({ ...some, size })), { size: String(size) });
  const both = records(encodeHeader({ ...some, path: long, size }));
  assert.deepEqual(Object.entries(both), [["path", long], ["size", String(size)]]);
});

Deno.test("a header with a PAX record has a truncated name or a size of zero", () => {
  const long = encodeHeader({ ...some, path: "x".repeat(150) });
  assert.equal(name(long), "x".repeat(100));
  const split = encodeHeader({ ...some, path: `${"x".repeat(99)}\u00e9${"y".repeat(50)}` });
  assert.equal(name(split), "x".repeat(99), "cut back to a character's border");
  const accent = encodeHeader({ ...some, path: "b/\u00e9" });
  assert.equal(name(accent), "b/\u00e9", "raw UTF-8 where it fits");
  const large = Buffer.from(encodeHeader({ ...some, size: 8 * 1024 ** 3 }));
  assert.equal(
    large.toString("latin1", large.length - blockSize + 124, large.length - 376),
    "00000000000 ",
  );
  const first = Buffer.from(long).toString("latin1", 0, 100).replace(/\0+$/, "");
  assert.equal(first, `PaxHeaders/${sha256("x".repeat(150)).slice(0, 12)}`);
});

Deno.test("the length of a record includes its own digits, even where they add a digit", () => {
  for (let length = 80; length < 1100; length++) {
    const path = `\u00e9/${"p".repeat(length)}`;
    assert.equal(records(encodeHeader({ ...some, path }))["path"], path);
  }
});

Deno.test("paddingOf returns the bytes up to the next block boundary", () => {
  assert.deepEqual([0, 1, 511, 512, 513].map(paddingOf), [0, 511, 1, 0, 511]);
});

const listable: Entry[] = [
  ...someEntries,
  { path: `long/${"x".repeat(200)}`, content: "long" },
  { path: `deep/${"y/".repeat(120)}z`, content: "deep", mode: 0o755 },
  { path: `split/${"n".repeat(96)}`, content: "split" },
  { path: "-rf", content: "dash" },
  { path: "\u4e2d\u6587/\u{1f600}", content: "wide" },
].sort((a, b) => comparePaths(a.path, b.path));

async function run(command: string, args: string[], directory: string): Promise<string> {
  const done = await new Deno.Command(command, {
    args,
    cwd: directory,
    env: { LC_ALL: "C.UTF-8", TZ: "UTC" },
  }).output();
  const stderr = new TextDecoder().decode(done.stderr);
  assert.deepEqual([done.code, stderr], [0, ""], `${command} ${args.join(" ")}`);
  return new TextDecoder().decode(done.stdout);
}

Deno.test(requiring(["tar"], "GNU tar lists the same names, sizes, modes and times", async () => {
  await withDirectory(async (directory) => {
    writeFileSync(join(directory, "x.tar"), tarOf(listable));
    const args = ["--quoting-style=literal", "--numeric-owner", "--full-time", "-tvf", "x.tar"];
    const lines = (await run("tar", args, directory)).trimEnd().split("\n");
    const expected = listable.map(({ path, content, mode = 0o644 }) => {
      const bits = mode === 0o755 ? "-rwxr-xr-x" : "-rw-r--r--";
      const time = created.replace("T", " ").replace("Z", "");
      return `${bits} 0/0 ${Buffer.byteLength(content as string)} ${time} ${path}`;
    });
    assert.deepEqual(lines.map((line) => line.replace(/ +/g, " ")), expected);
  });
}));

Deno.test(
  requiring(["bsdtar"], "bsdtar lists the same names and unpacks the same bytes", async () => {
    await withDirectory(async (directory) => {
      writeFileSync(join(directory, "x.tar"), tarOf(listable));
      const names = (await run("bsdtar", ["-tf", "x.tar"], directory)).trimEnd().split("\n");
      assert.deepEqual(names, listable.map((entry) => entry.path));
      await run("bsdtar", ["-xf", "x.tar", "--no-same-owner"], directory);
      for (const { path, content, mode = 0o644 } of listable) {
        const full = join(directory, path);
        assert.ok(
          Buffer.from(Deno.readFileSync(full)).equals(Buffer.from(content as string)),
          path,
        );
        assert.equal(Deno.statSync(full).mode! & 0o100, mode & 0o100, path);
      }
    });
  }),
);
