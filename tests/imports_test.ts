/** The arrows between the rooms are the table in the README ("The house"); this test holds the code to it. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));

/** Room -> what it may import besides itself, errors.ts and version.ts. */
const arrows: Record<string, string[]> = {
  "main.ts": ["cli", "app.ts"],
  cli: [
    "app.ts",
    "assets",
    "attest",
    "bundle",
    "config",
    "export",
    "jobs",
    "registry",
    "risk",
    "server",
    "store",
    "telemetry",
    "verify",
  ],
  "app.ts": ["app", "config", "jobs", "server"],
  app: [
    "assets",
    "attest",
    "bundle",
    "config",
    "export",
    "jobs",
    "registry",
    "risk",
    "server",
    "store",
    "telemetry",
    "verify",
  ],
  server: ["jobs", "store", "verify", "telemetry", "config", "assets"],
  export: ["bundle", "attest", "store", "registry", "risk", "config"],
  verify: ["bundle", "attest"],
  registry: ["bundle"],
  store: ["bundle"],
  risk: ["bundle"],
  attest: ["bundle"],
  bundle: [],
  jobs: [],
  telemetry: [],
  config: [],
  assets: [],
  std: [],
  // Not part of the program: what builds it.
  build: ["assets", "config"],
  // Not part of the program: what generates the dashboards and the rules.
  "dashboards/source": ["telemetry"],
  "errors.ts": [],
  "version.ts": [],
};

/** Packages that a room may use; a room that is not named uses none. */
const packages: Record<string, string[]> = {
  cli: ["commander"],
  server: ["hono", "marked", "@hono/node-server", "zod", "@std/crypto", "@std/tar"],
  telemetry: ["prom-client"],
  config: ["croner", "yaml", "zod"],
  jobs: ["croner"],
  risk: ["yaml"],
};

/** Within attest, signing and checking know nothing of each other. */
const forbiddenFolders: [string, string][] = [
  ["src/attest/sign/", "src/attest/check/"],
  ["src/attest/check/", "src/attest/sign/"],
  ["src/verify/", "src/attest/sign/"],
  ["src/export/", "src/attest/check/"],
];

interface Import {
  from: string;
  to: string;
}

function sources(folder: string): string[] {
  return readdirSync(join(root, folder)).flatMap((name) => {
    const path = `${folder}/${name}`;
    if (statSync(join(root, path)).isDirectory()) return sources(path);
    return path.endsWith(".ts") ? [path] : [];
  });
}

const files = ["main.ts", ...sources("src"), ...sources("dashboards/source")];

function importsOf(file: string): Import[] {
  const text = readFileSync(join(root, file), "utf8");
  const pattern =
    /(?:^|\n)\s*(?:import|export)\s[^;]*?from\s+"([^"]+)"|\bimport\(\s*"([^"]+)"\s*\)|\nimport\s+"([^"]+)"/g;
  return [...text.matchAll(pattern)].map((found) => {
    const to = found[1] ?? found[2] ?? found[3]!;
    if (!to.startsWith(".")) return { from: file, to };
    return { from: file, to: relative(root, resolve(root, dirname(file), to)) };
  });
}

const imports = files.flatMap(importsOf);

function roomOf(path: string): string {
  if (path.startsWith("dashboards/source/")) return "dashboards/source";
  return path.startsWith("src/") ? path.split("/")[1]! : path;
}

function isOwn(path: string): boolean {
  return path.startsWith("src/") || path.startsWith("dashboards/source/") || path === "main.ts";
}

Deno.test("every room imports only what the table allows", () => {
  const wrong = imports.filter(({ from, to }) => {
    if (!isOwn(to)) return false;
    const [room, target] = [roomOf(from), roomOf(to)];
    return room !== target && target !== "errors.ts" && target !== "version.ts" &&
      !arrows[room]?.includes(target);
  });
  assert.deepEqual(wrong, []);
  assert.ok(imports.length > 100, "the pattern finds the imports");
});

Deno.test("no two rooms import each other", () => {
  const pairs = new Set(
    imports.filter(({ to }) => isOwn(to)).map(({ from, to }) => `${roomOf(from)} ${roomOf(to)}`),
  );
  const mutual = [...pairs].filter((pair) => {
    const [a, b] = pair.split(" ");
    return a !== b && pairs.has(`${b} ${a}`);
  });
  assert.deepEqual(mutual, []);
});

Deno.test("packages are used only where they belong, and the verify path uses none", () => {
  const wrong = imports.filter(({ from, to }) => {
    if (isOwn(to) || to.startsWith("node:") || !/^[@a-z]/.test(to) || to.includes("dashboards/")) {
      return false;
    }
    if (to === "deno.lock") return false;
    return !packages[roomOf(from)]?.some((name) => to === name || to.startsWith(`${name}/`));
  });
  assert.deepEqual(wrong, []);
});

Deno.test("signing and checking stay apart", () => {
  const wrong = imports.filter(({ from, to }) =>
    forbiddenFolders.some(([a, b]) => from.startsWith(a) && to.startsWith(b))
  );
  assert.deepEqual(wrong, []);
});

Deno.test("every room of the table exists and every folder is a room", () => {
  const folders = readdirSync(join(root, "src")).sort();
  const outside = ["dashboards/source", "main.ts"];
  const rooms = Object.keys(arrows).filter((name) => !outside.includes(name)).sort();
  assert.deepEqual(folders, rooms);
});

Deno.test("no source file is longer than 300 lines, and no folder is a junk room", () => {
  const long = files.filter((file) =>
    readFileSync(join(root, file), "utf8").split("\n").length > 301
  );
  assert.deepEqual(long, []);
  assert.deepEqual(
    files.filter((file) => /(^|\/)(utils?|common|helpers|misc|types)(\/|\.ts$)/.test(file)),
    [],
  );
});

// The minifier of the build drops the disposal of `using`: what was opened stayed open.
Deno.test("no source file that is shipped declares with using", () => {
  const shipped = files.filter((file) => !/^(src\/build|dashboards\/source)\//.test(file));
  const found = shipped.filter((file) =>
    /^\s*(await )?using \w+ =/m.test(readFileSync(join(root, file), "utf8"))
  );
  assert.deepEqual(found, []);
});
