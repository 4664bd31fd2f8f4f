/** verify.sh checks bundles of every form without stella: 0 good, 1 not good, 2 cannot check. */
import assert from "node:assert/strict";
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { attestationName, manifestName } from "../../src/bundle/manifest.ts";
import {
  makeBundle,
  type Recipe,
  testKey,
  withDirectory,
  writeFiles,
} from "../support/bundle_fixture.ts";
import { isLong, requiring, tool } from "../support/needs.ts";
import { type Changes, run } from "../support/run_export.ts";

const script = fileURLToPath(new URL("../../src/export/verify.sh", import.meta.url));
const shell = [tool("dash") ?? "sh"];
const tools = ["jq", "openssl"];

async function check(
  args: string[],
  env: Record<string, string> = {},
  [command, ...words]: readonly string[] = shell,
  cwd?: string,
): Promise<{ code: number; stdout: string; stderr: string }> {
  const child = new Deno.Command(command!, {
    args: [...words, script, ...args],
    env,
    ...(cwd === undefined ? {} : { cwd }),
  });
  const { code, stdout, stderr } = await child.output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}

const forms: Record<string, Changes> = {
  plain: { compression: "none" },
  zstd: {},
  volumes: { volumeSize: 8 << 20 },
  directory: { layout: "directory" },
};

/** Exports in a form, signed by a key of the algorithm; KEY.pub lies outside. */
async function exported(
  form: string,
  algorithm: "ed25519" | "p256",
  body: (out: string, pub: string) => Promise<void>,
): Promise<void> {
  await withDirectory(async (root) => {
    const key = testKey("shell", algorithm);
    writeFiles(root, {
      "in/a b.txt": "first",
      "in/d/-x": "second",
      "in/\u00e9": "",
      "KEY.pub": key.publicPem,
    });
    const out = join(root, "out dir");
    await run(out, join(root, "in"), { ...forms[form], signer: key.signer });
    await body(out, join(root, "KEY.pub"));
  });
}

for (const algorithm of ["ed25519", "p256"] as const) {
  Deno.test(requiring(
    tools,
    `verify.sh accepts bundles of every form, signed by ${algorithm}`,
    async () => {
      // The signature is checked before, and apart from, what depends on the form.
      const few = algorithm === "p256" && !isLong ? ["directory"] : Object.keys(forms);
      for (const form of few) {
        await exported(form, algorithm, async (out, pub) => {
          const { code, stdout, stderr } = await check([pub, out]);
          assert.deepEqual([code, stderr], [0, ""], form);
          assert.match(
            stdout,
            /^GOOD: p of 2026-01-01T00:00:00Z, 3 payload files, manifest sha256 [0-9a-f]{64}\n$/,
          );
          assert.equal(readFileSync(join(out, "verify.sh"), "utf8"), readFileSync(script, "utf8"));
        });
      }
    },
  ));
}

function flip(name: string | RegExp): (out: string) => void {
  return (out) => {
    const path = join(
      out,
      readdirSync(out, { recursive: true }).map(String).find((one) => one.match(name))!,
    );
    const bytes = readFileSync(path);
    bytes[bytes.length >> 1]! ^= 1;
    writeFileSync(path, bytes);
  };
}

type Row = [string, string[], (out: string) => void, RegExp];
const all = ["zstd", "directory"];
const archives = ["plain", "zstd", "volumes"];
const rows: Row[] = [
  ["a changed manifest", all, flip(/^manifest.json$/), /another manifest/],
  [
    "a changed attestation",
    all,
    flip(/^manifest.json.sigstore.json$/),
    /not by|not base64|not one DSSE/,
  ],
  ["no attestation", all, (out) => rmSync(join(out, attestationName)), /is missing/],
  ["no manifest", all, (out) => rmSync(join(out, manifestName)), /is missing/],
  ["a changed index", all, flip(/^SHA256SUMS$/), /files differ/],
  ["a changed archive", archives, flip(/^p\.tar/), /files differ/],
  ["no archive", archives, (out) => {
    for (const name of readdirSync(out)) if (name.startsWith("p.tar")) rmSync(join(out, name));
  }, /files differ/],
  ["a longer archive", archives, (out) => {
    for (const name of readdirSync(out)) {
      if (name.startsWith("p.tar")) writeFileSync(join(out, name), "x", { flag: "a" });
    }
  }, /files differ/],
  ["a changed script", all, flip(/^verify.sh$/), /files differ/],
  ["a changed payload file", ["directory"], flip(/a b\.txt$/), /payload differs/],
  [
    "a missing payload file",
    ["directory"],
    (out) => rmSync(join(out, "payload/a b.txt")),
    /payload differs/,
  ],
  [
    "an extra payload file",
    ["directory"],
    (out) => writeFileSync(join(out, "payload/d/x"), ""),
    /does not list/,
  ],
  [
    "an extra hidden file",
    ["directory"],
    (out) => writeFileSync(join(out, "payload/.x"), ""),
    /does not list/,
  ],
  [
    "an extra name of two lines",
    ["directory"],
    (out) => writeFileSync(join(out, "payload/x\ny"), ""),
    /does not list/,
  ],
  [
    "an extra link",
    ["directory"],
    (out) => symlinkSync("a b.txt", join(out, "payload/x")),
    /no file/,
  ],
  ["a link in place of a file", ["directory"], (out) => {
    renameSync(join(out, "payload/a b.txt"), join(out, "moved"));
    symlinkSync("../moved", join(out, "payload/a b.txt"));
  }, /no file/],
  ["a payload that is a link", ["directory"], (out) => {
    renameSync(join(out, "payload"), join(out, "moved"));
    symlinkSync("moved", join(out, "payload"));
  }, /no file/],
  [
    "no payload",
    ["directory"],
    (out) => rmSync(join(out, "payload"), { recursive: true }),
    /payload differs/,
  ],
];

async function assertBad(out: string, pub: string, [about, , change, reason]: Row): Promise<void> {
  const copy = `${out} ${about}`;
  cpSync(out, copy, { recursive: true });
  change(copy);
  const { code, stdout, stderr } = await check([pub, copy]);
  assert.deepEqual([code, stdout], [1, ""], `${about}: ${stderr}`);
  assert.match(stderr, reason, about);
  assert.match(stderr, /NOT GOOD/);
}

Deno.test(
  requiring(
    tools,
    "verify.sh refuses tampered bundles of every form, with the reason",
    async () => {
      for (const form of damagedForms) {
        await exported(form, "ed25519", async (out, pub) => {
          const here = rows.filter(([, where]) =>
            where.includes(form) && (isLong || form === "directory" || !where.includes("directory"))
          );
          await Promise.all(here.map((row) => assertBad(out, pub, row)));
        });
      }
    },
  ),
);

const hostile: [string, Recipe, RegExp][] = [
  ["two manifests in the statement", {
    statement: (s) => ({ ...s, subject: [s.subject[0], s.subject[0]] }),
  }, /another manifest/],
  [
    "another subject",
    { statement: (s) => ({ ...s, subject: [{ ...s.subject[0], name: "x" }] }) },
    /another manifest/,
  ],
  ["another predicate", { statement: (s) => ({ ...s, predicateType: "x" }) }, /another manifest/],
  ["another statement type", { statement: (s) => ({ ...s, _type: "x" }) }, /another manifest/],
  ["no statement", { statement: () => "x" }, /another manifest/],
  [
    "two statements",
    { statement: (s) => JSON.stringify(s) + JSON.stringify(s) },
    /another manifest/,
  ],
];

Deno.test(
  requiring(tools, "verify.sh refuses a valid signature over a wrong statement", async () => {
    await withDirectory(async (root) => {
      await Promise.all(hostile.map(async ([about, recipe, reason], i) => {
        const made = makeBundle(recipe);
        const [out, pub] = [join(root, String(i)), join(root, `${i}.pub`)];
        writeFiles(out, made.files);
        writeFileSync(pub, made.key.publicPem);
        const { code, stderr } = await check([pub, out]);
        assert.deepEqual([code, reason.test(stderr)], [1, true], `${about}: ${stderr}`);
      }));
    });
  }),
);

Deno.test(requiring(
  tools,
  "verify.sh refuses another key and other envelopes, and reports when it cannot check",
  async () => {
    await exported("zstd", "ed25519", async (out, pub) => {
      const other = (name: string, pem: string) => {
        const path = join(out, "..", name);
        writeFileSync(path, pem);
        return path;
      };
      const stranger = other("s.pub", testKey("stranger").publicPem);
      assert.match((await check([stranger, out])).stderr, /NOT GOOD: the signature is not by/);
      const p256 = other("p.pub", testKey("p", "p256").publicPem);
      assert.equal((await check([p256, out])).code, 1);
      const bundle = JSON.parse(readFileSync(join(out, attestationName), "utf8"));
      const signatures = bundle.dsseEnvelope.signatures;
      for (const wrong of [[], [...signatures, ...signatures]]) {
        const text = JSON.stringify({
          ...bundle,
          dsseEnvelope: { ...bundle.dsseEnvelope, signatures: wrong },
        });
        writeFileSync(join(out, attestationName), text);
        assert.match((await check([pub, out])).stderr, /not one DSSE envelope/);
      }
      for (
        const args of [[], [join(out, "none.pub"), out], [other("x.pub", "no key"), out], [
          pub,
          join(out, "none"),
        ]]
      ) {
        const { code, stderr } = await check(args);
        assert.deepEqual([code, /cannot check/.test(stderr)], [2, true], `${args}: ${stderr}`);
      }
      const bare = join(out, "..", "bare");
      mkdirSync(bare);
      const { code, stderr } = await check([pub, out], { PATH: bare });
      assert.deepEqual([code, /jq is not installed/.test(stderr)], [2, true]);
    });
  },
));

Deno.test(requiring(
  tools,
  "the commands of VERIFY.txt work beside the manifest and where the archive was unpacked",
  async () => {
    for (const form of all) {
      await exported(form, "ed25519", async (out) => {
        const where = form === "directory" ? "payload" : "unpacked";
        if (form !== "directory") mkdirSync(join(out, where));
        const unpack: Record<string, string> = {
          plain: "tar -xf p.tar -C unpacked",
          zstd: "tar --zstd -xf p.tar.zst -C unpacked",
          volumes: "cat p.tar.zst.001 | zstd -dc | tar -xf - -C unpacked",
          directory: "true",
        };
        const commands = `
        jq -r '.files[] | "\\(.sha256)  \\(.path)"' manifest.json | sha256sum -c --strict --quiet
        ${unpack[form]}
        cd ${where} && sha256sum -c --strict --quiet ../SHA256SUMS`;
        const { code, stderr } = await new Deno.Command("sh", { args: ["-ec", commands], cwd: out })
          .output();
        assert.equal(code, 0, `${form}: ${new TextDecoder().decode(stderr)}`);
        assert.ok(existsSync(join(out, where, "d/-x")));
      });
    }
  },
));

/** A directory of tools: links to those of this machine, and to busybox for those in `applets`. */
function toolsIn(directory: string, names: string[], applets: string[] = []): string {
  mkdirSync(directory, { recursive: true });
  for (const name of names) symlinkSync(tool(name)!, join(directory, name));
  for (const name of applets) symlinkSync(tool("busybox")!, join(directory, name));
  return directory;
}

const others = ["base64", "cat", "cmp", "cut", "find", "grep", "head", "mktemp", "rm", "sed"];
const allTools = [...others, "sort", "wc"];

/**
 * The forms that are damaged in every way; of each check of the script one of them has it. Without
 * STELLA_TEST_LONG what both may suffer is tried on one.
 */
const damagedForms = isLong ? Object.keys(forms) : all;

/** One row for each task that verify.sh uses a tool for. */
const telling = [
  "a changed manifest",
  "a changed archive",
  "a changed payload file",
  "an extra payload file",
  "a link in place of a file",
];
const systems: [
  about: string,
  needs: string[],
  shell: string[],
  names: string[],
  applets: string[],
][] = [
  ["dash", ["dash"], ["dash"], [...allTools, "sha256sum"], []],
  ["bash", ["bash"], ["bash"], [...allTools, "sha256sum"], []],
  ["bash as sh", ["bash"], ["bash", "--posix"], [...allTools, "sha256sum"], []],
  ["busybox sh", ["busybox"], ["busybox", "sh"], [...allTools, "sha256sum"], []],
  ["busybox alone", ["busybox"], ["busybox", "sh"], [], [...allTools, "sha256sum"]],
  ["dash with shasum", ["dash", "shasum", "perl"], ["dash"], [...allTools, "shasum"], []],
  ["bash with shasum", ["bash", "shasum", "perl"], ["bash"], [...allTools, "shasum"], []],
];

/** Each shell, and each tool for sha256, is in one of these. */
const few = ["dash", "busybox alone", "bash with shasum"];
const here = isLong ? telling : ["a changed payload file", "an extra payload file"];
for (const [about, needs, [name, ...words], names, applets] of systems) {
  if (!isLong && !few.includes(about)) continue;
  Deno.test(
    requiring(
      [...tools, ...needs],
      `verify.sh accepts untouched and refuses tampered bundles: ${about}`,
      async () => {
        // A directory bundle needs every tool that the script uses, an archive some of them.
        for (const form of isLong ? all : ["directory"]) {
          await exported(form, "ed25519", async (out, pub) => {
            const PATH = toolsIn(join(out, "..", "bin"), [...tools, ...names], applets);
            const checkIn = (directory: string) =>
              check([pub, directory], { PATH }, [tool(name!)!, ...words]);
            const good = await checkIn(out);
            assert.deepEqual([good.code, good.stderr], [0, ""], form);
            assert.match(good.stdout, /^GOOD: p of/);
            for (const [what, where, change] of rows) {
              if (!where.includes(form) || !here.includes(what)) continue;
              const copy = `${out} ${what}`;
              cpSync(out, copy, { recursive: true });
              change(copy);
              const bad = await checkIn(copy);
              assert.deepEqual([bad.code, bad.stdout], [1, ""], `${what}: ${bad.stderr}`);
              rmSync(copy, { recursive: true });
            }
            rmSync(join(out, "..", "bin"), { recursive: true });
          });
        }
      },
    ),
  );
}

for (const name of ["dash", "bash", "busybox"]) {
  Deno.test(requiring(
    [...tools, name],
    `verify.sh checks the given directory in any environment: ${name}`,
    () =>
      exported("directory", "ed25519", async (out, pub) => {
        const root = join(out, "..");
        // Another bundle, a good one, under the same name where CDPATH leads.
        cpSync(out, join(root, "elsewhere/bundle"), { recursive: true });
        cpSync(out, join(root, "bundle"), { recursive: true });
        writeFileSync(join(root, "bundle/payload/a b.txt"), "tampered");
        writeFileSync(join(root, "env.sh"), "echo hostile; sha256sum() { return 0; }\n");
        const hostile = {
          CDPATH: join(root, "elsewhere"),
          IFS: "/.",
          ENV: join(root, "env.sh"),
          LC_ALL: "tr_TR.UTF-8",
          OLDPWD: join(root, "elsewhere/bundle"),
          "BASH_FUNC_sha256sum%%": "() { return 0; }",
          "BASH_FUNC_jq%%": "() { return 0; }",
        };
        const words = name === "busybox" ? [tool(name)!, "sh"] : [tool(name)!];
        // All of them at once; each by itself shows which one it would be.
        for (const variable of [undefined, ...isLong ? Object.keys(hostile) : []]) {
          const env = variable === undefined
            ? hostile
            : { [variable]: hostile[variable as keyof typeof hostile] };
          const bad = await check([pub, "bundle"], env, words, root);
          assert.deepEqual([bad.code, bad.stdout], [1, ""], `${variable}: ${bad.stderr}`);
          const good = await check([pub, "out dir"], env, words, root);
          assert.deepEqual([good.code, good.stdout.slice(0, 5)], [0, "GOOD:"], `${variable}`);
          const previous = await check([pub, "-"], env, words, root);
          assert.deepEqual([previous.code, previous.stdout], [2, ""], `${variable}: cd -`);
        }
      }),
  ));
}

Deno.test(requiring(
  tools,
  "verify.sh reports a missing sha256 tool",
  () =>
    exported("zstd", "ed25519", async (out, pub) => {
      const PATH = toolsIn(join(out, "..", "bin"), [...tools, ...allTools]);
      const { code, stderr } = await check([pub, out], { PATH });
      assert.equal(code, 2);
      assert.match(stderr, /sha256sum and shasum are not installed/);
    }),
));

Deno.test(requiring(
  tools,
  "verify.sh refuses an index with lines that tools would skip",
  () =>
    withDirectory(async (root) => {
      const made = makeBundle({ layout: "directory" });
      const index = new TextDecoder().decode(made.files.get("SHA256SUMS"));
      for (const line of ["no digest here\n", `${"0".repeat(63)}  x\n`, `${"0".repeat(64)} x\n`]) {
        const bundle = makeBundle({ layout: "directory", index: line + index });
        const out = join(root, String(line.length));
        writeFiles(out, bundle.files);
        writeFileSync(join(root, "k.pub"), bundle.key.publicPem);
        const { code, stderr } = await check([join(root, "k.pub"), out]);
        assert.equal(code, 1, line);
        assert.match(stderr, /payload differs/);
      }
    }),
));
