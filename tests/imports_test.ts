/**
 * Which module may import which: the table below is the one on the architecture page, and every
 * file is checked against it.
 */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));

/**
 * Module -> what it may import besides itself and `domain`. A module is a folder of src, or the
 * file main.ts.
 */
const allowed: Record<string, string[]> = {
  domain: [],
  telemetry: [],
  bundle: [],
  config: [],
  assets: [],
  docs: [],
  net: [],
  attest: ["bundle"],
  verify: ["bundle", "attest"],
  output: ["bundle"],
  registry: ["bundle", "net"],
  images: ["bundle", "net", "registry"],
  risk: ["bundle"],
  store: ["bundle"],
  jobs: [],
  export: ["bundle", "attest", "output", "registry", "net", "images", "risk", "store", "config"],
  http: ["jobs", "store", "telemetry", "config", "docs"],
  service: [
    "assets",
    "attest",
    "bundle",
    "config",
    "export",
    "http",
    "jobs",
    "net",
    "registry",
    "store",
    "telemetry",
    "verify",
  ],
  cli: [
    "assets",
    "attest",
    "bundle",
    "config",
    "docs",
    "export",
    "images",
    "net",
    "output",
    "registry",
    "risk",
    "service",
    "store",
    "telemetry",
    "verify",
  ],
  "main.ts": ["cli", "service"],
  std: [],
  // Not part of the program: what builds it.
  build: ["assets", "cli", "config"],
  // Not part of the program: what generates the dashboards.
  "dashboards/source": [],
};

/**
 * Within attest, signing and checking do not import each other, and only signers and checkers
 * import them.
 */
const forbiddenFolders: [string, string][] = [
  ["src/attest/sign/", "src/attest/check/"],
  ["src/attest/check/", "src/attest/sign/"],
  ["src/verify/", "src/attest/sign/"],
  ["src/export/", "src/attest/check/"],
];

/** Files of the repository outside src that a module may import: what the binary carries. */
const carried: Record<string, string[]> = {
  domain: ["deno.json"],
  assets: ["dashboards/", "deno.lock"],
  http: ["dashboards/"],
};

/** Packages that a module may use; a module that is not named uses none. */
const packages: Record<string, string[]> = {
  http: ["hono", "marked", "@hono/node-server", "zod", "@std/crypto", "@std/tar"],
  telemetry: ["prom-client", "zod"],
  config: ["croner", "yaml", "zod"],
  jobs: ["croner"],
  risk: ["yaml"],
};

interface Import {
  from: string;
  to: string;
}

function sourcesIn(folder: string): string[] {
  if (!existsSync(join(root, folder))) return [];
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory()) return sourcesIn(path);
    return /\.tsx?$/.test(path) ? [path] : [];
  });
}

function importsOf(file: string): Import[] {
  const text = readFileSync(join(root, file), "utf8");
  const pattern =
    /(?:^|\n)\s*(?:import|export)\s[^;]*?from\s+"([^"]+)"|\bimport\(\s*"([^"]+)"\s*\)|\nimport\s+"([^"]+)"/g;
  return [...text.matchAll(pattern)].map((found) => {
    const to = found[1] ?? found[2] ?? found[3] ?? "";
    if (!to.startsWith(".")) return { from: file, to };
    return { from: file, to: relative(root, resolve(root, dirname(file), to)) };
  });
}

const files = ["main.ts", ...sourcesIn("src"), ...sourcesIn("dashboards/source")];
const imports = files.flatMap(importsOf);

function moduleOf(path: string): string {
  if (path.startsWith("dashboards/source/")) return "dashboards/source";
  return path.startsWith("src/") ? path.split("/")[1] ?? "" : path;
}

function isOwn(path: string): boolean {
  return path.startsWith("src/") || path.startsWith("dashboards/source/") || path === "main.ts";
}

/** Whether `path` is `name` itself, a file in that folder, or a part of that package. */
function isWithin(path: string, name: string): boolean {
  return path === name || path.startsWith(name.endsWith("/") ? name : `${name}/`);
}

/**
 * The groups of files that import each other in a cycle (Tarjan's strongly connected components).
 */
function circles(edges: ReadonlyMap<string, readonly string[]>): string[][] {
  const order = new Map<string, number>();
  const lowest = new Map<string, number>();
  const stack: string[] = [];
  const found: string[][] = [];
  const visit = (file: string): number => {
    let low = order.size;
    order.set(file, low);
    stack.push(file);
    for (const next of edges.get(file) ?? []) {
      if (!order.has(next)) low = Math.min(low, visit(next));
      else if (stack.includes(next)) low = Math.min(low, order.get(next) ?? low);
    }
    lowest.set(file, low);
    if (low === order.get(file)) {
      const group = stack.splice(stack.indexOf(file));
      if (group.length > 1) found.push(group.sort());
    }
    return low;
  };
  for (const file of edges.keys()) if (!order.has(file)) visit(file);
  return found;
}

Deno.test("every module imports only what the table allows", () => {
  const wrong = imports.filter(({ from, to }) => {
    const [module, target] = [moduleOf(from), moduleOf(to)];
    return isOwn(to) && isOwn(from) && module !== target && target !== "domain" &&
      !allowed[module]?.includes(target);
  });
  assert.deepEqual(wrong, []);
  assert.ok(imports.length > 1000, "the pattern finds the imports");
});

Deno.test("every allowed import of the table is used", () => {
  const used = new Set(imports.map(({ from, to }) => `${moduleOf(from)} -> ${moduleOf(to)}`));
  const unused = Object.entries(allowed).flatMap(([module, targets]) =>
    targets.map((target) => `${module} -> ${target}`).filter((edge) => !used.has(edge))
  );
  assert.deepEqual(unused, []);
});

Deno.test("every module uses all packages and embedded files that the table allows it", () => {
  const unused = [...Object.entries(packages), ...Object.entries(carried)].flatMap(
    ([module, names]) =>
      names.filter((name) =>
        !imports.some(({ from, to }) => moduleOf(from) === module && isWithin(to, name))
      ).map((name) => `${module} -> ${name}`),
  );
  assert.deepEqual(unused, []);
});

Deno.test("there are no import cycles, type imports included", () => {
  const edges = new Map(
    files.map((file) => [
      file,
      imports.filter(({ from, to }) => from === file && isOwn(to)).map(({ to }) => to),
    ]),
  );
  assert.deepEqual(circles(edges), []);
});

Deno.test("the search for import cycles finds one", () => {
  const edges = new Map([["a", ["b"]], ["b", ["c"]], ["c", ["a", "d"]], ["d", []]]);
  assert.deepEqual(circles(edges), [["a", "b", "c"]]);
});

Deno.test("no module imports the build or the source of the dashboards", () => {
  const wrong = imports.filter(({ from, to }) =>
    ["src/build/", "dashboards/source/"].some((folder) =>
      to.startsWith(folder) && !from.startsWith(folder)
    )
  );
  assert.deepEqual(wrong, []);
});

Deno.test("packages are used only where the table names them, and verification uses none", () => {
  const wrong = imports.filter(({ from, to }) => {
    if (isOwn(to) || !/^[@a-z]/.test(to) || to.startsWith("node:") || !isOwn(from)) return false;
    const may = [...packages[moduleOf(from)] ?? [], ...carried[moduleOf(from)] ?? []];
    return !may.some((name) => isWithin(to, name));
  });
  assert.deepEqual(wrong, []);
});

Deno.test("signing and checking do not import each other", () => {
  const wrong = imports.filter(({ from, to }) =>
    forbiddenFolders.some(([a, b]) => from.startsWith(a) && to.startsWith(b))
  );
  assert.deepEqual(wrong, []);
});

Deno.test("the table lists exactly the existing modules", () => {
  const folders = readdirSync(join(root, "src")).sort();
  const inSource = Object.keys(allowed).filter((name) => !/[./]/.test(name));
  assert.deepEqual(folders, inSource.sort());
});

Deno.test("no folder or file has a generic name", () => {
  assert.deepEqual(
    files.filter((file) => /(^|\/)(utils?|common|helpers|misc|types)(\/|\.ts$)/.test(file)),
    [],
  );
});

// The minifier of the build drops the disposal of `using`, so files would stay open.
Deno.test("no shipped source file has a `using` declaration", () => {
  const shipped = files.filter((file) =>
    !file.startsWith("src/build/") && !file.startsWith("dashboards/")
  );
  const found = shipped.filter((file) =>
    /^\s*(await )?using \w+ =/m.test(readFileSync(join(root, file), "utf8"))
  );
  assert.deepEqual(found, []);
});
