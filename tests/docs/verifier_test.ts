/**
 * The format page is complete: a verifier written from it in another language reaches the same
 * verdicts as stella, on valid bundles of every layout and on altered ones, and both verify the
 * bundle that the page prints.
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createHmac } from "node:crypto";
import { readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { publicKeyFrom } from "../../src/attest/check/trust.ts";
import type { Manifest } from "../../src/bundle/manifest.ts";
import { readManifest } from "../../src/bundle/read_manifest.ts";
import { sha256 } from "../../src/domain/hash.ts";
import { bundleArtifact } from "../../src/registry/artifact.ts";
import {
  entryOf,
  type Files,
  indexOf,
  type MadeBundle,
  makeBundle,
  memorySource,
  type Recipe,
  someEntries,
  tarOf,
  testKey,
  withDirectory,
  writeFiles,
} from "../support/bundle_fixture.ts";
import { requiring, tool } from "../support/needs.ts";
import { root } from "../support/program.ts";
import { outcomeOf } from "../support/outcome.ts";
import { bundles, cut, drop, flip, grow, put, tampered } from "../support/tampered.ts";
import { type Block, blocksOf, pageText } from "./pages.ts";

const tools = ["python3", "openssl", "zstd"];

/** The exit code and the output of the Python verifier. */
async function python(directory: string, publicPem: string): Promise<[number, string]> {
  const key = `${directory}.pub`;
  Deno.writeTextFileSync(key, publicPem);
  const script = join(root, "tests/support/verify.py");
  const child = new Deno.Command(tool("python3")!, {
    args: [script, key, directory],
    stdout: "piped",
    stderr: "piped",
  });
  const { code, stdout, stderr } = await child.output();
  const text = new TextDecoder();
  return [code, text.decode(stdout) + text.decode(stderr)];
}

/** Returns stella's exit code, and asserts that the Python verifier has the same one. */
async function agree(about: string, { files, key }: Pick<MadeBundle, "files" | "key">) {
  const ours = await outcomeOf(memorySource(files), [key.trusted]);
  await withDirectory(async (directory) => {
    const bundle = join(directory, "bundle");
    writeFiles(bundle, files);
    const [theirs, printed] = await python(bundle, key.publicPem);
    assert.equal(theirs, ours.code, `${about}\n${ours.findings.join("\n")}\n${printed}`);
  });
  return ours.code;
}

/** Alterations by somebody without the signing key, by layout. */
const alterations: Record<string, [string, (files: Files) => void][]> = {
  plain: [
    ["a byte of the manifest", flip("manifest.json", 40)],
    ["a byte of the signature", flip("manifest.json.sigstore.json", -20)],
    ["a byte of the hint", flip("manifest.json.sigstore.json", 120)],
    ["a blank in the attestation", grow("manifest.json.sigstore.json", " ")],
    ["no attestation", drop("manifest.json.sigstore.json")],
    ["no manifest", drop("manifest.json")],
    ["a byte of the index", flip("SHA256SUMS", 0)],
    ["no index", drop("SHA256SUMS")],
    ["a byte of a header", flip("p.tar", 130)],
    ["a byte of the content", flip("p.tar", 512)],
    ["a byte of the end", flip("p.tar", -1)],
    ["the archive cut", cut("p.tar", 512)],
    ["bytes after the archive", grow("p.tar", "x")],
    ["no archive", drop("p.tar")],
    ["a byte of the instructions", flip("VERIFY.txt", 3)],
    ["a file that nothing lists", put("extra.txt", "more\n")],
  ],
  zstd: [
    ["a byte of the frame", flip("p.tar.zst", 20)],
    ["the archive cut", cut("p.tar.zst", 1)],
    ["bytes after the archive", grow("p.tar.zst", "x")],
  ],
  volumes: [
    ["a byte of a volume", flip("p.tar.zst.002", 9)],
    ["no second volume", drop("p.tar.zst.002")],
    ["a volume cut", cut("p.tar.zst.001", 5)],
  ],
  plainVolumes: [["a byte of a volume", flip("p.tar.001", 600)]],
  directory: [
    ["a byte of a file", flip("payload/a.txt", 0)],
    ["a file less", drop("payload/a.txt")],
    ["a file more", put("payload/z.txt", "more\n")],
    ["bytes after a file", grow("payload/a.txt", "more\n")],
  ],
};

for (const [form, changes] of Object.entries(alterations)) {
  Deno.test(
    requiring(tools, `the verifier of the format page agrees on ${form} bundles`, async () => {
      assert.equal(await agree("unchanged", bundles[form]!), 0);
      const codes: string[] = [];
      for (const [about, change] of changes) {
        codes.push(`${await agree(`${form}: ${about}`, tampered(form, change))} ${about}`);
      }
      const accepted = codes.filter((one) => one.startsWith("0 "));
      assert.deepEqual(accepted, form === "plain" ? ["0 a file that nothing lists"] : []);
    }),
  );
}

const archiveOf = (m: Manifest) => m.files.find(({ role }) => role === "archive")!;
const renameDocument = (path: string) => (m: Manifest) => {
  m.files.find(({ role }) => role === "document")!.path = path;
};
const right = tarOf(someEntries);
const zeros = Buffer.alloc(512);
const lastEntry = entryOf(someEntries.at(-1)!).length;
const long = "directory-of-a-name-that-is-rather-long/".repeat(3);
const entries = [
  { path: "a.txt", content: "a\n" },
  { path: `${long}b.txt`, content: "b\n", mode: 0o755 },
  { path: `${"c".repeat(250)}.txt`, content: "" },
  { path: "überall.txt", content: "c\n" },
];
/** Bundles signed with a trusted key: valid ones with unusual names, and invalid ones. */
const signed: [string, Recipe, number][] = [
  ["long names and names that are not ASCII", { entries }, 0],
  ["the same, compressed", { entries, compression: "zstd" }, 0],
  ["a P-256 key", { key: testKey("p", "p256") }, 0],
  ["a line less", { entries, index: indexOf(entries.slice(0, 1)) }, 8],
  ["a line more", { entries: entries.slice(0, 1), index: indexOf(entries.slice(0, 2)) }, 6],
  ["an unsafe path", { index: indexOf([{ path: "../a.txt", content: "a\n" }]) }, 9],
  ["another order", { entries, index: indexOf([entries[3]!, entries[0]!]) }, 8],
  ["another count", { manifest: (m) => m.payload.files++ }, 7],
  ["a later time", { manifest: (m) => m.created = "2026-01-01T00:00:01Z" }, 8],
  ["another version", { manifest: (m) => Object.assign(m, { schemaVersion: 2 }) }, 3],
  ["blanks in the manifest", { manifestBytes: (bytes) => Buffer.concat([bytes, bytes]) }, 3],
  ["another subject", { statement: (s) => ({ ...s, subject: [] }) }, 4],
  ["more fields and blanks in the statement", {
    statement: (s) => JSON.stringify({ more: 1, ...s }, null, 2),
  }, 0],
  ["a key twice in the statement", {
    statement: (s) => JSON.stringify(s).replace("{", '{"_type":"other",'),
  }, 4],
  ["half of a surrogate pair in the statement", { statement: (s) => ({ ...s, x: "\ud800" }) }, 4],
  ["another digest of a plain chunk", {
    manifest: (m) => archiveOf(m).chunks![0]!.sha256 = "0".repeat(64),
  }, 0],
  ["a single volume", { chunksPerVolume: 1 }, 0],
  ["a second 60", { manifest: (m) => m.created = "2026-01-01T00:00:60Z" }, 3],
  ["a name of the format in capitals", { manifest: renameDocument("manifest.JSON") }, 3],
  ["a name that ends like that of a signature", { manifest: renameDocument("b.hmac.json") }, 3],
  ["a path below another", {
    index: indexOf([{ path: "a", content: "" }, { path: "a/b", content: "" }]),
  }, 9],
  ["a path that is not UTF-8", { index: Buffer.from(`${sha256("")}  \xff\n`, "latin1") }, 9],
  ["one end block less", { tar: right.subarray(0, -512) }, 10],
  ["no end blocks", { tar: right.subarray(0, -1024) }, 10],
  ["the end before the last entry", { tar: right.subarray(0, -1024 - lastEntry) }, 6],
  ["a zero block before the first entry", { tar: Buffer.concat([zeros, right]) }, 6],
  ["a block after the end", { tar: Buffer.concat([right, zeros]) }, 8],
];

Deno.test(
  requiring(
    tools,
    "the verifier of the format page agrees on bundles signed with a trusted key",
    async () => {
      for (const [about, recipe, expected] of signed) {
        assert.equal(await agree(about, makeBundle(recipe)), expected, about);
      }
    },
  ),
);

Deno.test(
  requiring(tools, "the verifier of the format page refuses other keys and links", async () => {
    assert.equal(await agree("another key", { ...bundles["plain"]!, key: testKey("other") }), 5);
    await withDirectory(async (directory) => {
      const { files, key } = bundles["directory"]!;
      const bundle = join(directory, "bundle");
      writeFiles(bundle, files);
      symlinkSync("/etc/hostname", join(bundle, "payload/link"));
      const [code, printed] = await python(bundle, key.publicPem);
      assert.equal(code, 9, printed);
    });
  }),
);

/** The bundle that the page prints, and its public key. */
function workedExample(): { files: Files; publicPem: string } {
  const page = blocksOf(pageText("format"));
  const blocks = page.filter(({ heading }) => heading === "Worked example");
  const block = (beginning: string) => {
    const found = blocks.filter(({ text }) => text.startsWith(beginning));
    assert.equal(found.length, 1, `one block begins with ${beginning}`);
    return found[0]!;
  };
  const text = (beginning: string) => Buffer.from(block(beginning).text);
  const files: Files = new Map([
    ["SHA256SUMS", text("5891b5b5")],
    ["example.tar", bytesOfDump(block("00000000: "))],
    ["manifest.json", text('{"schemaVersion"')],
    ["manifest.json.sigstore.json", text('{"mediaType"')],
  ]);
  return { files, publicPem: block("-----BEGIN PUBLIC KEY").text };
}

/** `xxd -a`: an asterisk stands for lines like the one before it. */
function bytesOfDump({ text }: Block): Uint8Array {
  const lines = text.split("\n").filter((line) => /^[0-9a-f]{8}: /.test(line));
  const bytes = new Uint8Array(parseInt(lines.at(-1)!.slice(0, 8), 16) + 16);
  for (const line of lines) {
    const hex = line.slice(10, 50).replaceAll(" ", "");
    bytes.set(Uint8Array.fromHex(hex), parseInt(line.slice(0, 8), 16));
  }
  return bytes;
}

Deno.test(
  requiring(
    tools,
    "stella and the verifier of the format page verify the bundle that the page prints",
    async () => {
      const { files, publicPem } = workedExample();
      const trusted = publicKeyFrom(publicPem, "example.pub");
      const outcome = await outcomeOf(memorySource(files), [trusted]);
      assert.deepEqual([outcome.code, outcome.findings], [0, []]);
      await withDirectory(async (directory) => {
        const bundle = join(directory, "bundle");
        writeFiles(bundle, files);
        assert.deepEqual(await python(bundle, publicPem), [0, ""]);
      });
    },
  ),
);

Deno.test(requiring(
  ["sh", "jq", "openssl", "sha256sum", "tar"],
  "the commands on the format page accept its bundle and refuse an altered one",
  async () => {
    const { files, publicPem } = workedExample();
    const commands = blocksOf(pageText("format")).find(({ language }) => language === "sh")!.text;
    const run = async (change: (files: Files) => void) => {
      const altered = new Map(files);
      change(altered);
      return await withDirectory(async (directory) => {
        writeFiles(directory, altered);
        Deno.writeTextFileSync(join(directory, "example.pub"), publicPem);
        const shell = new Deno.Command("sh", { args: ["-c", commands], cwd: directory });
        return (await shell.output()).success;
      });
    };
    assert.equal(await run(() => {}), true);
    assert.equal(await run(flip("manifest.json", 100)), false);
    assert.equal(await run(flip("example.tar", 512)), false);
    assert.equal(await run(flip("manifest.json.sigstore.json", -20)), false);
  },
));

Deno.test("the digests and the key ID on the format page match its bundle", () => {
  const { files, publicPem } = workedExample();
  const bytes = files.get("manifest.json")!;
  const manifest = readManifest(bytes);
  const stated = [
    sha256(bytes),
    publicKeyFrom(publicPem, "example.pub").keyid,
    bundleArtifact(manifest, bytes).digest.slice("sha256:".length),
  ];
  const page = pageText("format");
  for (const one of stated) assert.ok(page.includes(`\`${one}\``), one);
  const statement = blocksOf(page).find(({ text }) => text.startsWith('{"_type"'))!.text;
  const attestation = JSON.parse(Buffer.from(files.get("manifest.json.sigstore.json")!).toString());
  const payload = Buffer.from(attestation.dsseEnvelope.payload, "base64").toString();
  assert.equal(statement, `${payload}\n`);
});

Deno.test("an HMAC signature is computed as the format page specifies", () => {
  const golden = join(root, "tests/fixtures/golden");
  const read = (path: string) => readFileSync(join(golden, path), "utf8");
  const pem = /-----BEGIN STELLA SHARED SECRET-----\n(.*)\n/.exec(read("shared.key"))![1]!;
  const hmac = (...parts: (string | Uint8Array)[]) => {
    const running = createHmac("sha256", Buffer.from(pem, "base64"));
    for (const part of parts) running.update(part);
    return running.digest("base64");
  };
  const envelope = JSON.parse(read("hmac/manifest.json.hmac.json"));
  const payload = Buffer.from(envelope.payload, "base64");
  const head = `DSSEv1 28 application/vnd.in-toto+json ${payload.length} `;
  assert.deepEqual(envelope.signatures, [{
    sig: hmac("stella-hmac-sha256\n", head, payload),
    keyid: `hmac-sha256:${hmac("stella-hmac-keyid\n")}`,
  }]);
});
