import assert from "node:assert/strict";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { assets } from "../../src/assets/assets.ts";
import { writeBeside } from "../../src/build/beside.ts";
import { build } from "../../src/domain/version.ts";
import { fixturePlace } from "./place.ts";

const root = new URL("../../", import.meta.url).pathname;

Deno.test("the build writes the digest and the SBOM beside a program, with the commit's time", async () => {
  await using place = await fixturePlace();
  writeFileSync(`${place.root}/stella.exe`, "abc");
  const stamp = { commit: build().commit, date: "2026-01-01T00:00:00Z", modified: false };
  const runtime = { name: "deno", version: Deno.version.deno } as const;
  await writeBeside(`${place.root}/stella.exe`, runtime, root, stamp);
  assert.equal(
    readFileSync(`${place.root}/stella.exe.sha256`, "utf8"),
    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  stella.exe\n",
  );
  const carried = assets().find(({ kind }) => kind === "sbom")?.bytes;
  assert.ok(readFileSync(`${place.root}/stella.cdx.json`).equals(carried!));
  for (const name of ["stella.exe.sha256", "stella.cdx.json"]) {
    assert.equal(statSync(`${place.root}/${name}`).mtime.toISOString(), "2026-01-01T00:00:00.000Z");
  }
});
