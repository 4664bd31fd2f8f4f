/** Writing a stick: its content, the bundles that are refused, and what is left after a failure. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Medium, type StickFlags, writeStick } from "../../src/cli/stick_write.ts";
import { memoryReader } from "../../src/bundle/source.ts";
import { sha256 } from "../../src/domain/hash.ts";
import { freeSpaceAt } from "../../src/output/free_space.ts";
import { MediumSource } from "../../src/output/medium_source.ts";
import {
  type MadeBundle,
  makeBundle,
  testKey,
  withDirectory,
  writeFiles,
} from "../support/bundle_fixture.ts";
import { streamOf } from "../support/bundle_stream.ts";
import { type Home, programWords, withHome } from "../support/program.ts";
import { host } from "../support/quiet_host.ts";
import { snapshot } from "../support/run_export.ts";

const made = makeBundle({});
const { profile } = made.manifest;

/** A bundle in `out`, its key in `signer.pub`, a directory `stick`. */
function prepare(directory: string, bundle: MadeBundle = made): void {
  writeFiles(join(directory, "out"), bundle.files);
  writeFiles(directory, { "signer.pub": bundle.key.publicPem });
  mkdirSync(join(directory, "stick"));
}

function write(home: Home, ...more: string[]) {
  return home.json(["stick", "write", "out", "stick", "--trust", "signer.pub", ...more]);
}

Deno.test("the stick contains the named bundle, and the result lists what else to carry", () =>
  withHome(async (home) => {
    prepare(home.path);
    const program = new TextEncoder().encode("a program");
    writeFileSync(join(home.path, "stella.exe"), program);
    const digest = sha256(program);
    const result = await write(home, "--include-binary", "stella.exe");
    assert.equal(result.exit, 0, JSON.stringify(result));
    const bundle = join(home.path, "stick", profile);
    const content = (of: Record<string, string>) =>
      Object.fromEntries(Object.entries(of).map(([name, text]) => [name, text.slice(4)]));
    assert.deepEqual(content(snapshot(bundle)), content(snapshot(join(home.path, "out"))));
    assert.deepEqual(readdirSync(join(home.path, "stick")).sort(), [profile, "stella.exe"].sort());
    assert.equal(statSync(join(home.path, "stick/stella.exe")).mode & 0o777, 0o755);
    assert.equal(result.directory, join("stick", profile));
    assert.deepEqual(result.separately, {
      key: { keyid: made.key.signer.keyid, name: "signer" },
      programs: [{ path: "stick/stella.exe", size: program.length, sha256: digest }],
    });
    const { stdout } = await home.succeed(
      ["stick", "write", "out", "stick", "--trust", "signer.pub", "--include-binary", "stella.exe"],
    );
    assert.match(stdout, new RegExp(`sha256:${digest} of stick/stella.exe`));
    assert.ok(stdout.includes(made.key.signer.keyid));
    assert.equal((await home.json(["verify", "stick", "--trust", "signer.pub"])).exit, 0);
  }));

Deno.test("an HMAC signature is copied, and the result names a program in the bundle", () =>
  withHome(async (home) => {
    mkdirSync(join(home.path, "stick"));
    writeFiles(home.path, { "in/a": "a", "stella-arm": "program" });
    await home.succeed(["keys", "generate", "--algorithm", "hmac", "--out", "shared.key"]);
    await home.succeed([
      ...["export", "bundle", "--profile", "p", "--input", "in", "--secret", "shared.key"],
      ...["--include-binary", "stella-arm"],
    ]);
    const { exit, separately } = await home.json(["stick", "write", "out", "stick"]);
    assert.equal(exit, 0);
    assert.deepEqual(separately.programs, [
      { path: "stick/p/stella-arm", size: 7, sha256: sha256("program") },
    ]);
    assert.equal((await home.json(["verify", "stick", "--secret", "shared.key"])).exit, 0);
    const named = ["stick", "write", "out", "stick", "--secret", "shared.key", "--name", "other"];
    assert.equal((await home.json(named)).exit, 0);
    assert.ok(existsSync(join(home.path, "stick/other/manifest.json.hmac.json")));
  }));

Deno.test("a bundle that fails verification is not written to the stick", () =>
  withHome(async (home) => {
    const stranger = makeBundle({ key: testKey("stranger") });
    prepare(home.path, { ...stranger, key: made.key });
    const { exit, files } = await write(home);
    assert.deepEqual([exit, files, readdirSync(join(home.path, "stick"))], [5, [], []]);
  }));

Deno.test("a damaged bundle leaves the content of the stick unchanged", () =>
  withHome(async (home) => {
    prepare(home.path);
    assert.equal((await write(home)).exit, 0);
    const before = snapshot(join(home.path, "stick"));
    const archive = made.manifest.files.find(({ role }) => role === "archive")!.path;
    const bytes = readFileSync(join(home.path, "out", archive));
    bytes[bytes.length - 30]! ^= 1;
    writeFileSync(join(home.path, "out", archive), bytes);
    assert.equal((await write(home)).exit, 7);
    assert.deepEqual(snapshot(join(home.path, "stick")), before);
  }));

Deno.test("a missing stick directory is not created", () =>
  withHome(async (home) => {
    prepare(home.path);
    Deno.removeSync(join(home.path, "stick"));
    const { exit, error } = await write(home);
    assert.deepEqual([exit, error.reason], [12, "path_missing"]);
    assert.ok(!existsSync(join(home.path, "stick")));
    writeFileSync(join(home.path, "stick"), "");
    assert.equal((await write(home)).error.reason, "path_unusable");
  }));

Deno.test("a program of the same name is replaced only with --force", () =>
  withHome(async (home) => {
    prepare(home.path);
    writeFiles(home.path, { "stella.exe": "new", "stick/stella.exe": "old" });
    const before = snapshot(join(home.path, "stick"));
    const { exit, error } = await write(home, "--include-binary", "stella.exe");
    assert.deepEqual([exit, error.reason], [14, "output_exists"]);
    assert.deepEqual(snapshot(join(home.path, "stick")), before);
    assert.equal((await write(home, "--include-binary", "stella.exe", "--force")).exit, 0);
    assert.equal(readFileSync(join(home.path, "stick/stella.exe"), "utf8"), "new");
  }));

Deno.test("--include-binary refuses a private key", () =>
  withHome(async (home) => {
    prepare(home.path);
    await home.succeed(["keys", "generate"]);
    const { exit, error } = await write(home, "--include-binary", "state/keys/signing.key");
    assert.deepEqual([exit, error.reason], [9, "private_file"]);
    assert.deepEqual(readdirSync(join(home.path, "stick")), []);
  }));

Deno.test("a bundle with the layout `directory` is refused with a hint", () =>
  withHome(async (home) => {
    prepare(home.path, makeBundle({ layout: "directory" }));
    const { exit, error } = await write(home);
    assert.deepEqual([exit, error.reason], [2, "layout_unsuitable"]);
    assert.match(error.hint, /--layout archive/);
  }));

Deno.test("a killed stick write leaves no manifest, and the next one cleans up", () =>
  withHome(async (home) => {
    prepare(home.path);
    writeFiles(home.path, { "stella.exe": "program" });
    const [command, ...words] = programWords();
    const args = ["stick", "write", "-", "stick", "--trust", "signer.pub"];
    const child = new Deno.Command(command, {
      args: [...words, ...args, "--include-binary", "stella.exe"],
      cwd: home.path,
      env: home.environment(),
      clearEnv: true,
      stdin: "piped",
      stdout: "null",
      stderr: "null",
    }).spawn();
    const writer = child.stdin.getWriter();
    // All but the last bytes, so that the program has begun to write and waits for the rest.
    const stream = await streamOf(made);
    await writer.write(new Uint8Array(stream.subarray(0, stream.length - 2048)));
    const stick = join(home.path, "stick");
    const hasBegun = () => existsSync(join(stick, profile));
    while (!hasBegun()) await new Promise((resolve) => setTimeout(resolve, 20));
    child.kill("SIGKILL");
    await child.status;
    await writer.abort().catch(() => {});
    assert.ok(!existsSync(join(stick, profile, "manifest.json")));
    assert.ok(!existsSync(join(stick, "stella.exe")));
    assert.equal((await write(home)).exit, 0);
    assert.deepEqual(readdirSync(stick), [profile]);
    assert.ok(readdirSync(join(stick, profile)).every((name) => !name.startsWith(".")));
  }));

const flags = { includeSelf: false, includeBinary: [], force: false, trustFromMedia: true };

/** Writes the bundle in `root` to a simulated medium. */
async function writeTo(root: string, medium: Partial<Medium>) {
  const options = { ...flags, trust: [join(root, "signer.pub")] } as unknown as StickFlags;
  return await writeStick(join(root, "out"), join(root, "stick"), options, host, {
    space: freeSpaceAt,
    source: (directory, name) => new MediumSource(directory, name),
    ...medium,
  });
}

Deno.test("if the stick does not read back what was written, nothing is left on it", () =>
  withDirectory(async (root) => {
    prepare(root);
    const archive = made.manifest.files.find(({ role }) => role === "archive")!.path;
    const source: Medium["source"] = (directory, name) => {
      const real = new MediumSource(directory, name);
      const open = (path: string) => {
        if (path !== archive) return real.open(path);
        const bytes = readFileSync(join(directory, path));
        bytes[100]! ^= 1;
        return memoryReader(bytes);
      };
      return { name, isDirect: true, open };
    };
    const { code, text } = await writeTo(root, { source });
    assert.equal(code, 7);
    assert.match(text, /Use another stick: nothing was kept/);
    assert.deepEqual(readdirSync(join(root, "stick", profile)), []);
  }));

Deno.test("if reads cannot bypass the page cache, the result explains how to verify the stick", () =>
  withDirectory(async (root) => {
    prepare(root);
    const source: Medium["source"] = (directory, name) => {
      const real = new MediumSource(directory, name);
      return { name, isDirect: false, open: (path) => real.open(path) };
    };
    const { json, text } = await writeTo(root, { source });
    assert.equal((json as { readBack?: string }).readBack, "page-cache");
    assert.match(text, /unmount the stick, mount it again, and run stella verify/);
  }));

Deno.test("an archive that FAT32 cannot hold, or that does not fit, is refused at once", () =>
  withDirectory(async (root) => {
    prepare(root);
    const expected = { kind: "usage", reason: "output_unsuitable" };
    const fat = { bytes: 2 ** 40, maxFileBytes: 50 };
    await assert.rejects(writeTo(root, { space: () => fat }), (error: Error & { hint: string }) => {
      assert.match(error.hint, new RegExp(`--profile ${profile} --volume-size fat32`));
      return Object.entries(expected).every(([name, value]) => Reflect.get(error, name) === value);
    });
    await assert.rejects(writeTo(root, { space: () => ({ bytes: 50 }) }), { reason: "no_space" });
    assert.deepEqual(readdirSync(join(root, "stick")), []);
  }));
