/**
 * The interface that scripts, dashboards and other programs rely on: exit codes, metrics with their
 * labels, and the fields of JSON results. An unintended change fails here; an intended one is
 * written with `STELLA_UPDATE_CONTRACT=1 deno test -A tests/e2e/contract_test.ts` and named in its
 * commit.
 */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { exitCodes } from "../../src/domain/errors.ts";
import { makeBundle, writeFiles } from "../support/bundle_fixture.ts";
import { Layout } from "../support/oci_layout.ts";
import { Home, root } from "../support/program.ts";
import { FakeRegistry } from "../support/registry/fake_registry.ts";

const file = join(root, "tests/fixtures/contract.json");
const isUpdate = Deno.env.get("STELLA_UPDATE_CONTRACT") === "1";

/** Compares one part of the contract, or writes it. */
function hold(part: string, found: unknown): void {
  const known = existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : {};
  if (isUpdate) {
    const next = { ...known, [part]: found };
    const sorted = Object.fromEntries(Object.entries(next).toSorted());
    writeFileSync(file, JSON.stringify(sorted, undefined, 2) + "\n");
  } else assert.deepEqual(found, known[part], part);
}

/** The paths of all fields with their types: `files[].size: number`. */
function shapeOf(value: unknown, path = ""): string[] {
  if (Array.isArray(value)) return value.flatMap((one) => shapeOf(one, `${path}[]`));
  if (typeof value !== "object" || value === null) {
    return [`${path}: ${value === null ? "null" : typeof value}`];
  }
  return Object.entries(value).flatMap(([name, one]) =>
    shapeOf(one, path === "" ? name : `${path}.${name}`)
  );
}

const shape = (value: unknown) => [...new Set(shapeOf(value))].toSorted();

Deno.test("exit codes keep their names and numbers", () => hold("exitCodes", exitCodes));

Deno.test("metrics keep their names, types and labels", async () => {
  const home = new Home();
  const service = await home.serve();
  try {
    // A request is measured only after it is answered.
    await (await fetch(`${service.url}/metrics`)).text();
    const text = await (await fetch(`${service.url}/metrics`)).text();
    const metrics: Record<string, { type: string; labels: string[] }> = {};
    for (const [, name = "", type = ""] of text.matchAll(/^# TYPE (\S+) (\S+)$/gm)) {
      const samples = text.matchAll(new RegExp(`^${name}(?:_bucket)?\\{([^}]*)\\}`, "gm"));
      const labels = [...samples].flatMap(([, inside = ""]) =>
        [...inside.matchAll(/(\w+)="/g)].map(([, label = ""]) => label)
      );
      metrics[name] = { type, labels: [...new Set(labels)].toSorted() };
    }
    assert.ok(Object.keys(metrics).length > 30);
    hold("metrics", Object.fromEntries(Object.entries(metrics).toSorted()));
  } finally {
    await service.stop();
    home.remove();
  }
});

Deno.test("JSON results keep their fields", async () => {
  const home = new Home();
  try {
    const sample = join(root, "tests/fixtures/sample");
    const bundle = ["export", "bundle"];
    const of: Record<string, unknown> = {};
    const keep = async (name: string, args: string[]) => {
      of[name] = shape(await home.json(args));
    };
    await keep("keys generate", ["keys", "generate", "--out", "a.key"]);
    await keep("export bundle", [...bundle, "--profile", "a", "--input", sample]);
    await keep("export bundle --dry-run", [
      ...bundle,
      ...["--profile", "a", "--input", sample, "--dry-run", "--manifest", "new/manifest.json"],
    ]);
    await keep("verify", ["verify", "out"]);
    await keep("list", [...bundle, "list", "--manifest", "out"]);
    await keep("show", [...bundle, "show", "--manifest", "out"]);
    await keep("unpack", [...bundle, "unpack", "--manifest", "out", "--to", "in"]);
    mkdirSync(join(home.path, "stick"));
    writeFileSync(join(home.path, "stella.exe"), "program");
    await keep("stick write", ["stick", "write", "out", "stick", "--include-binary", "stella.exe"]);
    await withImages(home, (args) => keep("load", [...bundle, "load", ...args]));
    writeFileSync(join(home.path, "out/SHA256SUMS"), "changed\n");
    await keep("verify of a changed bundle", ["verify", "out"]);
    await keep("an error", ["verify", "nothing"]);
    for (const args of ["keys show", "config check", "assets list"]) {
      await keep(args, args.split(" "));
    }
    hold("results", of);
  } finally {
    home.remove();
  }
});

/** Runs `body` with the command line that loads a bundle of one image into a registry. */
async function withImages(home: Home, body: (args: string[]) => Promise<void>): Promise<void> {
  const layout = new Layout();
  layout.name(layout.image({ seed: "a" }), "registry.example/a:v1");
  const made = makeBundle({ entries: layout.entries() });
  writeFiles(join(home.path, "images"), made.files);
  writeFiles(home.path, { "images.pub": made.key.publicPem });
  const registry = await new FakeRegistry().start();
  try {
    const to = `oci://${registry.host}/mirror`;
    await body(["--manifest", "images", "--to", to, "--trust", "images.pub"]);
  } finally {
    await registry.stop();
  }
}
