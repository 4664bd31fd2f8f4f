/** The runbook's health and diagnostics. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { asked, askedOfService, exportKit } from "./asked.ts";

Deno.test(askedOfService(
  25,
  "readiness checks storage, registries and the attestation path; liveness shows the results",
  async (service) => {
    const { status, checks } = await service.get("/health/readiness");
    assert.equal(status, "pass");
    const names = Object.keys(checks);
    for (const part of ["storage", "registry", "attestation"]) {
      assert.ok(names.some((name) => name.startsWith(part)), `${names} lack ${part}`);
    }
    assert.equal((await service.get("/health/liveness")).status, "pass");
    const verbose = await service.get("/health/liveness?verbose");
    assert.match(verbose, /^liveness: pass$/m);
    for (const name of names) assert.ok(verbose.includes(`[+]${name} pass`), verbose);
  },
));

Deno.test(askedOfService(
  26,
  "status shows version, commit and feature flags, and compares them with a bundle's manifest",
  async (service, home) => {
    const { version, commit, features } = await service.get("/status");
    assert.match(version, /^\d+\.\d+\.\d+$/);
    assert.match(commit, /^(unknown|[0-9a-f]{40})$/);
    assert.equal(typeof features.traces, "boolean");
    await home.succeed(exportKit);
    const manifest = ["--manifest", "out/manifest.json"];
    await home.succeed(["status", "--url", service.url, ...manifest]);
  },
));

Deno.test(asked(
  27,
  "export bundle verify --manifest compares every hash with the manifest",
  async (home) => {
    await home.succeed(exportKit);
    const verify = ["export", "bundle", "verify", "--manifest", "out/manifest.json"];
    await home.succeed(verify);
    const path = join(home.path, "out/kit.tar.zst");
    const bytes = readFileSync(path);
    bytes[100]! ^= 1;
    writeFileSync(path, bytes);
    const ran = await home.json(verify);
    assert.deepEqual(
      [ran.exit, ran.findings[0].reason, ran.findings[0].path],
      [7, "digest_mismatch", "kit.tar.zst"],
    );
  },
));
