import assert from "node:assert/strict";
import { StellaError } from "../../src/domain/errors.ts";
import {
  bundleDigest,
  type BundleFile,
  chunkSize,
  encodeManifest,
  type Manifest,
} from "../../src/bundle/manifest.ts";
import { maxManifestBytes, readManifest } from "../../src/bundle/read_manifest.ts";
import { sha256 } from "../../src/domain/hash.ts";
import { makeBundle } from "../support/bundle_fixture.ts";

// deno-lint-ignore no-explicit-any -- tests replace values by values of any type
type Loose = any;

const plain = makeBundle().manifest;
const volumes = makeBundle({
  entries: [{ path: "zeros", content: new Uint8Array(2 * chunkSize) }],
  compression: "zstd",
  chunksPerVolume: 1,
}).manifest;
const directory = makeBundle({ layout: "directory" }).manifest;

function bytesOf(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value) + "\n");
}

function copyOf(manifest: Manifest): Loose {
  return structuredClone(manifest);
}

function assertRefused(bytes: Uint8Array, reason: string, about = ""): void {
  assert.throws(() => readManifest(bytes), (error) => {
    assert.ok(error instanceof StellaError, `${about}: ${error}`);
    assert.equal(error.kind, "manifest", about);
    assert.ok(error.message.includes(reason), `${about}: ${error.message} lacks ${reason}`);
    return true;
  }, about);
}

Deno.test("readManifest reads what encodeManifest writes, in every layout", () => {
  const full = { ...plain, sequence: 7, payload: { ...plain.payload, base: "a".repeat(64) } };
  for (const manifest of [plain, volumes, directory, full]) {
    assert.deepEqual(readManifest(encodeManifest(manifest)), manifest);
  }
});

Deno.test("encodeManifest writes every field that a manifest may have", () => {
  const [sha256, size] = ["0".repeat(64), 1];
  const file: Required<BundleFile> = {
    ...{ path: "p.tar", role: "archive", mediaType: "m", executable: true, size, sha256 },
    ...{ uncompressedSize: 1, chunkSize, chunks: [{ size, sha256 }], volume: { index: 1, of: 2 } },
  };
  const payload: Required<Manifest["payload"]> = { ...plain.payload, base: sha256 };
  const manifest: Required<Manifest> = { ...plain, sequence: 7, payload, files: [file] };
  assert.deepEqual(JSON.parse(text(manifest)), manifest);
});

Deno.test("encodeManifest writes the canonical encoding", () => {
  const digest = "0".repeat(64);
  const manifest: Manifest = {
    ...directory,
    files: [{ path: "SHA256SUMS", role: "index", size: 1, sha256: digest }],
  };
  assert.equal(
    new TextDecoder().decode(encodeManifest(manifest)),
    `{"schemaVersion":1,"mediaType":"application/vnd.stella.bundle.manifest.v1+json","profile":"p","tenant":"t",` +
      `"created":"2026-01-01T00:00:00Z","tool":{"name":"stella","version":"0.1.0","commit":"${
        "0".repeat(40)
      }"},` +
      `"payload":{"layout":"directory","index":"SHA256SUMS","files":5,"bytes":718},` +
      `"files":[{"path":"SHA256SUMS","role":"index","size":1,"sha256":"${digest}"}]}\n`,
  );
  const bytes = encodeManifest(manifest);
  assert.equal(bundleDigest(bytes), sha256(bytes));
});

/** Every value of a document, by the path that readManifest reports, and how to change it. */
function places(value: Loose, place = ""): [string, Loose, string | number][] {
  return Object.keys(value).flatMap((key) => {
    const name = Array.isArray(value) ? `${place}[${key}]` : place === "" ? key : `${place}.${key}`;
    const below = value[key] !== null && typeof value[key] === "object"
      ? places(value[key], name)
      : [];
    return [[name, value, key], ...below];
  });
}

const optional = /\.(executable|mediaType|uncompressedSize|chunkSize|chunks|volume)$/;

Deno.test("readManifest refuses a missing field and names it", () => {
  for (const manifest of [plain, volumes]) {
    const count = places(copyOf(manifest)).length;
    for (let i = 0; i < count; i++) {
      const copy = copyOf(manifest);
      const [place, object, key] = places(copy)[i]!;
      if (Array.isArray(object)) continue;
      delete object[key];
      const reason = optional.test(place) ? "files" : `${place} is missing`;
      assertRefused(bytesOf(copy), reason, place);
    }
  }
});

const strangers: unknown[] = [null, true, false, -1, 1e15, "", "x", "\u001b[2J", [], {}, [[]]];

Deno.test("readManifest refuses a value of another type in each field, and names the field", () => {
  for (const manifest of [plain, volumes]) {
    const count = places(copyOf(manifest)).length;
    for (let i = 0; i < count; i++) {
      for (const stranger of strangers) {
        const copy = copyOf(manifest);
        const [place, object, key] = places(copy)[i]!;
        if (fits(place, stranger)) continue;
        object[key] = stranger;
        const named = place.replace(/\.(chunks|uncompressedSize).*$/, "").replace(/\.volume.*/, "");
        assertRefused(bytesOf(copy), named === "files" ? "file" : named, `${place}=${stranger}`);
      }
    }
  }
});

/**
 * Values that the reader alone cannot recognize as wrong, or whose fault is reported for another
 * field.
 */
function fits(place: string, value: unknown): boolean {
  if (/^(profile|tenant)$|^tool\./.test(place)) return value === "x";
  if (/^payload\.(files|bytes)$/.test(place)) return value === 1e15;
  return /\]\.(size|path|role|executable)$/.test(place) &&
    (value === 1e15 || value === "x" || value === true);
}

Deno.test("readManifest refuses unknown fields at every level", () => {
  const count = places(copyOf(volumes)).length;
  for (let i = 0; i < count; i++) {
    const copy = copyOf(volumes);
    const [place, object, key] = places(copy)[i]!;
    const target = object[key];
    if (target === null || typeof target !== "object" || Array.isArray(target)) continue;
    target.extra = 1;
    assertRefused(bytesOf(copy), `${place}.extra is not known`);
  }
  assertRefused(bytesOf({ ...plain, "\u001b]0;x\u0007": 1 }), '"\\u{1b}]0;x\\u{7}" is not known');
  const long = { ...plain, ["n".repeat(1_000_000)]: 1 };
  assert.throws(() => readManifest(bytesOf(long)), (error: Error) => error.message.length < 300);
});

function text(manifest: Manifest): string {
  return new TextDecoder().decode(encodeManifest(manifest));
}

const oneEncoding = "not in the one encoding";
const encodings: [string, (text: string) => string, string][] = [
  ["no line feed", (t) => t.trimEnd(), oneEncoding],
  ["two line feeds", (t) => t + "\n", oneEncoding],
  ["CRLF", (t) => t.trimEnd() + "\r\n", oneEncoding],
  ["a space", (t) => t.replace(":1,", ": 1,"), oneEncoding],
  ["an escape", (t) => t.replace('"profile"', '"pro\\u0066ile"'), oneEncoding],
  ["an escaped slash", (t) => t.replace("application/", "application\\/"), oneEncoding],
  [
    "keys in another order",
    (t) => t.replace(/("profile":"p"),("tenant":"t")/, "$2,$1"),
    oneEncoding,
  ],
  ["a byte order mark", (t) => "\ufeff" + t, "A value is expected at byte 0"],
  ["a second value", (t) => t + "{}", "Text follows"],
  ["a duplicate", (t) => t.replace('"tenant":"t"', '"tenant":"t","tenant":"t"'), "Duplicate name"],
  ["a fraction", (t) => t.replace(/"bytes":\d+/, '"bytes":718.0'), "not a plain integer"],
  ["2^53", (t) => t.replace(/"bytes":\d+/, '"bytes":9007199254740992'), "not a plain integer"],
  ["a number as text", (t) => t.replace(/"bytes":\d+/, '"bytes":"718"'), "payload.bytes is not"],
  ["nothing", () => "", "A value is expected"],
  ["an array", (t) => `[${t}]`, "the document is not an object"],
];

Deno.test("readManifest refuses every non-canonical encoding of the same content", () => {
  for (const [about, change, reason] of encodings) {
    const changed = change(text(plain));
    assert.notEqual(changed, text(plain), about);
    assertRefused(new TextEncoder().encode(changed), reason, about);
  }
});

const names: [string, string][] = [
  ["../x", "names another directory"],
  ["/etc/passwd", "names another directory"],
  ["a/b", "names another directory"],
  ["..", "the part .."],
  ["-", "standard input"],
  ["a\\b", "the character \\"],
  ["C:x", "the character :"],
  ["nul.txt", "Windows device"],
  ["e\u0301", "NFC"],
  ["\u202egpj", "control character"],
  ["manifest.json", "cannot be listed"],
  ["manifest.json.sigstore.json", "cannot be listed"],
  ["x.hmac.json", "cannot be listed"],
  ["manifest.json.old", "cannot be listed"],
  ["Manifest.JSON", "cannot be listed"],
  ["MANIFEST.json.old", "cannot be listed"],
  ["manifest.json.SIGSTORE.json", "cannot be listed"],
  [".stella-019b76da-a800-7000-8000-000000000000.partial", "cannot be listed"],
];

Deno.test("readManifest refuses file names that are unsafe or reserved", () => {
  for (const [name, reason] of names) {
    const copy = copyOf(plain);
    copy.files[1].path = name;
    assertRefused(bytesOf(copy), "files[1].path", name);
    assertRefused(bytesOf(copy), reason, name);
  }
});

const contradictions: [string, Manifest, (m: Loose) => void, string][] = [
  ["an unsorted file", plain, (m) => m.files.reverse(), "files[1].path is not after"],
  ["a repeated file", plain, (m) => m.files.push(m.files.at(-1)), "files[3].path is not after"],
  ["a file that differs in case only", plain, (m) => {
    m.files.push({ ...m.files[1], path: "verify.TXT" });
  }, 'files[3].path differs from "VERIFY.txt" only by case or Unicode form'],
  ["a file in the place of the payload", directory, (m) => {
    m.files.push({ ...m.files[1], path: "payload" });
  }, 'differs from "payload" only by case or Unicode form'],
  ["no index", plain, (m) => m.files.shift(), "exactly one index"],
  ["another index", plain, (m) => m.files[1].role = "index", "exactly one index"],
  ["an index elsewhere", plain, (m) => m.payload.index = "VERIFY.txt", "payload.index"],
  ["no archive", plain, (m) => m.files.pop(), "has no archive"],
  ["an archive in a directory", plain, (m) => m.payload.layout = "directory", "beside a directory"],
  ["no volume", volumes, (m) => delete m.files[2].volume, "two archives that are not volumes"],
  ["a missing volume", volumes, (m) => m.files.splice(3, 1), "number of volumes differs"],
  ["a wrong volume count", volumes, (m) => m.files[2].volume.of = 4, "number of volumes differs"],
  ["swapped volumes", volumes, (m) => {
    [m.files[2].volume, m.files[3].volume] = [m.files[3].volume, m.files[2].volume];
  }, "out of order"],
  ["a volume named otherwise", volumes, (m) => m.files[2].path = "p.tar.zst.000", "out of order"],
  ["a volume cut within a chunk", volumes, (m) => {
    m.files[2].uncompressedSize -= 512;
  }, "does not end at a chunk's border"],
  ["another media type", volumes, (m) => {
    m.files[3].mediaType = "application/vnd.stella.bundle.archive.v1.tar";
  }, "differs from the first volume's"],
  ["too many chunks", plain, (m) => m.files[2].chunks.push(m.files[2].chunks[0]), "does not cut"],
  ["no chunks", plain, (m) => m.files[2].chunks = [], "does not cut"],
  ["a wrong sum", plain, (m) => m.files[2].size += 1, "does not add up"],
  ["a chunk of a wrong size", plain, (m) => {
    m.files[2].size -= 512;
    m.files[2].chunks[0].size -= 512;
  }, "does not fit a piece"],
  ["an empty stored chunk", volumes, (m) => {
    m.files[2].size = 0;
    m.files[2].chunks[0].size = 0;
  }, "does not fit a piece"],
  ["a stored chunk that no encoder writes", volumes, (m) => {
    m.files[2].size = 5_000_000;
    m.files[2].chunks[0].size = 5_000_000;
  }, "does not fit a piece"],
  ["half a tar block", plain, (m) => {
    m.files[2].size += 1;
    m.files[2].uncompressedSize += 1;
    m.files[2].chunks[0].size += 1;
  }, "whole tar blocks"],
  ["chunks of a document", plain, (m) => m.files[1].chunks = [], "an archive's fields"],
  ["another chunk size", plain, (m) => m.files[2].chunkSize = 1024, "chunkSize is not 4194304"],
  ["an unknown version", plain, (m) => m.schemaVersion = 2, "schemaVersion is not 1"],
  ["no payload file", plain, (m) => m.payload.files = 0, "payload.files is not"],
  [
    "a time out of range",
    plain,
    (m) => m.created = "1979-12-31T23:59:59Z",
    "created is not a time",
  ],
  [
    "a date that is none",
    plain,
    (m) => m.created = "2026-02-30T00:00:00Z",
    "created is not a time",
  ],
  ["a name with dots", plain, (m) => m.profile = "a..b", "profile is not a name"],
];

Deno.test("readManifest refuses a manifest that contradicts itself", () => {
  for (const [about, base, change, reason] of contradictions) {
    const copy = copyOf(base);
    change(copy);
    assertRefused(bytesOf(copy), reason, about);
  }
});

Deno.test("readManifest reads a manifest of 16 MiB and refuses a larger one without reading it", () => {
  const copy = copyOf(plain);
  const chunk = { size: 1, sha256: "0".repeat(64) };
  const count = Math.floor((maxManifestBytes - 2000) / (JSON.stringify(chunk).length + 1));
  const size = count * chunkSize;
  Object.assign(copy.files[2], {
    path: "p.tar.zst",
    mediaType: "application/vnd.stella.bundle.archive.v1.tar+zstd",
    size: count,
    uncompressedSize: size,
    chunks: Array(count).fill(chunk),
  });
  const bytes = encodeManifest(copy);
  assert.ok(bytes.length > maxManifestBytes - 2000 && bytes.length <= maxManifestBytes);
  assert.equal(readManifest(bytes).files[2]!.chunks!.length, count);
  assertRefused(new Uint8Array(maxManifestBytes + 1), "more than 16777216");
});
