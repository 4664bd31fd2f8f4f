import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { attestationName, indexName, manifestName } from "../../src/bundle/manifest.ts";
import { readManifest } from "../../src/bundle/read_manifest.ts";
import { directorySource } from "../../src/bundle/source.ts";
import type { ExportEvent } from "../../src/domain/export_event.ts";
import { planExport } from "../../src/export/plan.ts";
import { outcomeOf } from "../support/outcome.ts";
import { withDirectory, writeFiles } from "../support/bundle_fixture.ts";
import {
  type Changes,
  epoch,
  key,
  optionsFor,
  refusal,
  run,
  snapshot,
} from "../support/run_export.ts";

const tree = {
  "in/a.txt": "first\n",
  "in/b/run.sh": "#!/bin/sh\n",
  "in/b/\u00e9.json": "{}",
  "in/.hidden": "",
};
const forms: [string, Changes, string[]][] = [
  ["plain", { compression: "none" }, ["p.tar"]],
  ["zstd", {}, ["p.tar.zst"]],
  ["volumes", { volumeSize: 8 << 20 }, ["p.tar.zst.001"]],
  ["directory", { layout: "directory" }, ["payload"]],
];

Deno.test("an export of each form verifies and contains what its report and manifest list", async () => {
  for (const [form, options, payload] of forms) {
    await withDirectory(async (root) => {
      writeFiles(root, tree);
      const out = join(root, "deep/out");
      const report = await run(out, join(root, "in"), options);
      const names = [
        manifestName,
        attestationName,
        indexName,
        "VERIFY.txt",
        "verify.sh",
        ...payload,
      ];
      assert.deepEqual(readdirSync(out).sort(), names.sort(), form);
      assert.deepEqual([...report.files].sort(), names, form);
      assert.equal(report.files[0], manifestName);
      const { code, findings, verdict } = await outcomeOf(directorySource(out), [key.trusted]);
      assert.deepEqual([code, findings], [0, []], form);
      assert.equal(verdict!.bundle!.bundleDigest, report.bundleDigest);
      assert.deepEqual(report.payload, { files: 4, bytes: 18 });
      const manifest = readManifest(readFileSync(join(out, manifestName)));
      const stored = manifest.files.reduce((sum, file) => sum + file.size, 0);
      assert.equal(report.bundleBytes, stored + readFileSync(join(out, manifestName)).length);
      assert.equal(report.keyid, key.trusted.keyid);
    });
  }
});

Deno.test("the statement names the sources by prefix or number, never by a local path", async () => {
  await withDirectory(async (root) => {
    writeFiles(root, { "one/a": "1", "two/b": "2" });
    const sources = [{ path: join(root, "one") }, { path: join(root, "two"), prefix: "osv/" }];
    await run(join(root, "out"), [], {
      sources,
      builtin: [{ path: "c", bytes: new Uint8Array(1) }],
    });
    const bundle = JSON.parse(readFileSync(join(root, "out", attestationName), "utf8"));
    const payload = atob(bundle.dsseEnvelope.payload);
    const { buildDefinition } = JSON.parse(payload).predicate;
    assert.deepEqual(
      buildDefinition.resolvedDependencies.map((d: { name: string }) => d.name),
      ["builtin", "source-1", "osv/"],
    );
    assert.deepEqual(buildDefinition.externalParameters, {
      profile: "p",
      tenant: "t",
      compression: "zstd",
      layout: "archive",
      created: "2026-01-01T00:00:00Z",
    });
    assert.ok(!payload.includes(root));
    assert.ok(!readFileSync(join(root, "out", manifestName), "utf8").includes(root));
  });
});

Deno.test("the program is packed, executable and listed", async () => {
  await withDirectory(async (root) => {
    writeFiles(root, { ...tree, "bin": "\x7fELF" });
    await run(join(root, "out"), join(root, "in"), {
      programs: [{ name: "stella", path: join(root, "bin") }],
    });
    const file = readManifest(readFileSync(join(root, "out", manifestName))).files
      .find((one) => one.path === "stella")!;
    assert.deepEqual([file.role, file.executable, file.size], ["program", true, 4]);
    assert.match(snapshot(join(root, "out"))["stella"]!, /^755 /);
  });
});

Deno.test("created is SOURCE_DATE_EPOCH, else the newest input's time", async () => {
  await withDirectory((root) => {
    writeFiles(root, tree);
    const created = (created: number | "newest" = "newest") =>
      planExport(optionsFor("", join(root, "in"), { created })).created;
    utimesSync(join(root, "in/a.txt"), 1_000_000_000, 1_000_000_000);
    utimesSync(join(root, "in/.hidden"), 1_100_000_000, 1_100_000_000.9);
    utimesSync(join(root, "in/b/run.sh"), 1_050_000_000, 1_050_000_000);
    utimesSync(join(root, "in/b/\u00e9.json"), 1, 1);
    assert.equal(created(), 1_100_000_000, "whole seconds, and a directory's own time is no input");
    assert.equal(created(epoch), epoch);
    for (const wrong of [315_532_799, 4_354_819_200, 0]) {
      assert.throws(() => created(wrong), /Cannot date the bundle/);
    }
    assert.equal(created(315_532_800), 315_532_800);
    assert.equal(created(4_354_819_199), 4_354_819_199);
  });
});

Deno.test("nothing to pack is code 2, and nothing is written", async () => {
  await withDirectory(async (root) => {
    mkdirSync(join(root, "empty/inner"), { recursive: true });
    const out = join(root, "out");
    const { code, message } = await refusal(() => run(out, join(root, "empty")));
    assert.equal(code, 2);
    assert.match(message, /no file was found in .*empty/);
    assert.equal((await refusal(() => run(out, join(root, "none")))).code, 12);
    assert.equal((await refusal(() => run(out, []))).code, 2);
    assert.deepEqual(readdirSync(root), ["empty"]);
  });
});

Deno.test("an output in its own input is refused, however the path is written", async () => {
  await withDirectory(async (root) => {
    writeFiles(root, tree);
    Deno.symlinkSync(join(root, "in"), join(root, "link"));
    for (const out of ["in", "in/out", "in/x/y/z", "link/out", "in/../in/out", "in/b/"]) {
      const { code, message } = await refusal(() => run(join(root, out), join(root, "in")));
      assert.deepEqual([code, /it is inside the input/.test(message)], [2, true], out);
    }
    assert.deepEqual(readdirSync(join(root, "in")).sort(), [".hidden", "a.txt", "b"]);
    await run(join(root, "in2"), join(root, "in"));
    await run(root, join(root, "in"));
  });
});

Deno.test("progress reports plan, read up to all bytes, sign and store", async () => {
  await withDirectory(async (root) => {
    writeFiles(root, tree);
    const calls: [string, number, number][] = [];
    const emit = (event: ExportEvent) => {
      if (event.kind === "progress") calls.push([event.stage, event.done, event.total]);
    };
    await run(join(root, "out"), join(root, "in"), { emit });
    assert.deepEqual([...new Set(calls.map(([stage]) => stage))], [
      "plan",
      "read",
      "sign",
      "store",
    ]);
    assert.deepEqual(calls.filter(([stage]) => stage === "read").at(-1), ["read", 18, 18]);
  });
});

Deno.test("an aborted export leaves the directory as it was", async () => {
  await withDirectory(async (root) => {
    writeFiles(root, { ...tree, "in/big": "x".repeat(1000) });
    const out = join(root, "out");
    await run(out, join(root, "in"));
    const before = snapshot(out);
    writeFileSync(join(root, "in/big"), "y".repeat(2000));
    const yieldToEventLoop = () => Promise.reject(new Error("stop"));
    await assert.rejects(run(out, join(root, "in"), { yieldToEventLoop }), /stop/);
    assert.deepEqual(snapshot(out), before);
  });
});
