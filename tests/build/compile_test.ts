/**
 * Runs `deno compile` with a stand-in for denort: the resulting file can be inspected but not run.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { appendFileSync, copyFileSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import type { Compiled } from "../../src/build/compile.ts";
import { denoVersionIn } from "../../src/build/denort.ts";
import { grants } from "../../src/config/permissions.ts";
import { fixturePlace, type Place } from "./place.ts";

const compileModule = new URL("../../src/build/compile.ts", import.meta.url).href;
const scriptModule = new URL("../../src/build/script.ts", import.meta.url).href;
const denortModule = new URL("../../src/build/denort.ts", import.meta.url).href;

interface Metadata {
  permissions: Record<string, unknown>;
  otel_config: Record<string, unknown>;
  unstable_config: { features: string[] };
  code_cache_key: unknown;
  entrypoint_key: string;
  v8_flags: string[];
}

/** Runs lines of TypeScript in a separate Deno process with the given environment. */
function runLines(lines: string, env: Record<string, string>) {
  return spawnSync(Deno.execPath(), ["eval", lines], {
    env: { PATH: "/usr/bin:/bin", NO_COLOR: "1", ...env },
  });
}

/** Builds the fixture with this denort. @returns the result of the call */
function compileWith<T = Compiled>(
  place: Place,
  denort: string,
  call = "await compile(script, directory, { standIn: true })",
): T {
  const inherited = ["HOME", "DENO_DIR", "NPM_CONFIG_REGISTRY"].flatMap((name) => {
    const value = Deno.env.get(name);
    return value === undefined ? [] : [[name, value]];
  });
  const lines = `
    const { buildScript } = await import(${JSON.stringify(scriptModule)});
    const { compile } = await import(${JSON.stringify(compileModule)});
    const directory = ${JSON.stringify(`${place.root}/dist`)};
    const script = await buildScript(${JSON.stringify(place.root)}, directory);
    console.log(JSON.stringify(${call}));`;
  const env = { ...Object.fromEntries(inherited), DENORT_BIN: denort, OTEL_DENO: "true" };
  const run = runLines(lines, { ...env, OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:9" });
  assert.equal(run.status, 0, run.stderr.toString());
  return JSON.parse(run.stdout.toString()) as T;
}

function metadataOf(path: string): Metadata {
  const text = readFileSync(path, "latin1");
  const start = text.indexOf('{"argv":');
  const end = text.indexOf('"app_name":', start);
  assert.ok(start > 0 && end > start, "no metadata found");
  return JSON.parse(text.slice(start, text.indexOf("}", end) + 1)) as Metadata;
}

Deno.test("a compiled file contains the script and exactly the listed permissions, with telemetry off", async () => {
  await using place = await fixturePlace();
  copyFileSync("/bin/true", `${place.root}/denort`);
  const { path } = compileWith(place, `${place.root}/denort`);
  assert.equal(path, `${place.root}/dist/stand-in/stella`);
  assert.deepEqual(readdirSync(`${place.root}/dist`).sort(), ["stand-in", "stella.js"]);
  const script = readFileSync(`${place.root}/dist/stella.js`);
  assert.ok(readFileSync(path).includes(script), "the script is not in the file");

  const { permissions, otel_config, unstable_config, ...rest } = metadataOf(path);
  const expected = Object.fromEntries(grants.map((g) => [`allow_${g.name}`, g.values ?? []]));
  const allowed = Object.entries(permissions).filter(([name, value]) =>
    name.startsWith("allow_") && value !== null
  );
  assert.deepEqual(Object.fromEntries(allowed), { ...expected, allow_import: ["none.invalid"] });
  assert.deepEqual([permissions["ignore_env"], permissions["prompt"]], [[], false]);
  assert.deepEqual(otel_config, {
    tracing_enabled: false,
    metrics_enabled: false,
    console: "Ignore",
    deterministic_prefix: null,
    propagators: [],
  });
  assert.deepEqual(unstable_config.features, ["net", "worker-options"]);
  assert.deepEqual([rest.code_cache_key, rest.entrypoint_key], [null, "stella.js"]);
});

Deno.test("a compiled file has the same bytes whatever directory it is built in", async () => {
  await using one = await fixturePlace();
  await using other = await fixturePlace();
  const files = [one, other].map((place) => {
    copyFileSync("/bin/true", `${place.root}/denort`);
    return readFileSync(compileWith(place, `${place.root}/denort`).path);
  });
  assert.ok(files[0]?.equals(files[1] ?? new Uint8Array()), "the files differ");
});

Deno.test("an invalid denort fails the build, and so does one of another Deno version unless allowed", async () => {
  await using place = await fixturePlace();
  const denort = `${place.root}/denort`;
  const call =
    "await compile(script, directory, OPTIONS).catch((e) => [e.kind, e.message, e.hint])";
  const refusal = (options: string) =>
    compileWith<string[]>(place, denort, call.replace("OPTIONS", options)).join("\n");
  copyFileSync("/bin/true", denort);
  assert.match(refusal("{}"), /^config\n.* it names no version of Deno\n.*DENORT_BIN.*--stand-in/);
  assert.match(refusal("{ allowOther: true }"), /it names no version of Deno/);
  appendFileSync(denort, "Deno/1.2.3Deno/1.2.3+0123456789");
  assert.match(refusal("{}"), /it is of Deno 1\.2\.3, and this is Deno .*--allow-other-denort/s);
  // It is accepted but does not start as stella, so no file is left.
  assert.match(refusal("{ allowOther: true }"), /^defect\nCannot start what was built/);
  assert.deepEqual(readdirSync(`${place.root}/dist`), ["stella.js"]);
});

Deno.test("the version of Deno is read together with its commit", () => {
  const read = (text: string) => denoVersionIn(new TextEncoder().encode(text));
  assert.equal(read("Deno/2.9.4Deno/2.9.4+14eea3114 Deno/3.0.0+1234567"), "2.9.4");
  assert.deepEqual(
    ["", "Deno/", "Deno/2.9.4", "Deno/2.9+1234567"].map(read),
    Array(4).fill(undefined),
  );
  assert.equal(denoVersionIn(readFileSync(Deno.execPath())), Deno.version.deno);
});

Deno.test("a missing file in DENORT_BIN is refused with its path", () => {
  const lines = `await (await import(${JSON.stringify(denortModule)})).assertDenort()`;
  const run = runLines(lines, { DENORT_BIN: "/nowhere/denort", HOME: "/tmp" });
  assert.equal(run.status, 1);
  assert.match(run.stderr.toString(), /DENORT_BIN names no file: "\/nowhere\/denort"/);
});

Deno.test("without denort and without a network the build fails at once and names the remedies", async () => {
  await using place = await fixturePlace();
  const lines = `
    const { assertDenort } = await import(${JSON.stringify(denortModule)});
    await assertDenort().catch((error) => console.log(error.kind, error.message, error.hint));`;
  // Nothing listens at the proxy's address: no request leaves the machine.
  const env = { DENO_DIR: `${place.root}/cache`, HTTPS_PROXY: "http://127.0.0.1:9" };
  const printed = runLines(lines, env).stdout.toString();
  const refusal =
    /^config Cannot compile: https:\S+denort-\S+\.zip cannot be had \(no connection\)/;
  assert.match(printed, refusal);
  const zip =
    `${place.root}/cache/dl/release/v${Deno.version.deno}/denort-${Deno.build.target}.zip`;
  for (const remedy of [zip, "DENORT_BIN", "build:portable"]) {
    assert.ok(printed.includes(remedy), remedy);
  }
  // With the file in Deno's cache the same call finds it.
  mkdirSync(zip.slice(0, zip.lastIndexOf("/")), { recursive: true });
  copyFileSync("/bin/true", zip);
  assert.equal(runLines(lines, env).stdout.toString(), "");
});

Deno.test("a file for another platform goes to that platform's folder", async () => {
  await using place = await fixturePlace();
  copyFileSync("/bin/true", `${place.root}/denort`);
  const other = ["aarch64-unknown-linux-gnu", "x86_64-unknown-linux-gnu"].find((one) =>
    one !== Deno.build.target
  );
  // The compiler does not read this: only the build checks the Deno version.
  appendFileSync(`${place.root}/denort`, `Deno/${Deno.version.deno}+0123456`);
  const call = `await compile(script, directory, { target: ${JSON.stringify(other)} })`;
  const { path, deno } = compileWith(place, `${place.root}/denort`, call);
  assert.deepEqual([path, deno], [`${place.root}/dist/${other}/stella`, Deno.version.deno]);
  assert.ok(readFileSync(path).includes(readFileSync(`${place.root}/dist/stella.js`)));
});
