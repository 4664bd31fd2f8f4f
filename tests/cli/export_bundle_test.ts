import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { exportLocally } from "../../src/cli/export_bundle.ts";
import type { ExportFlags } from "../../src/cli/export_options.ts";
import type { Host } from "../../src/cli/host.ts";
import type { Permissions } from "../../src/domain/permissions.ts";
import { Home } from "../support/program.ts";

Deno.test("no key is created in the directory of the bundle", async () => {
  const home = new Home();
  try {
    const env = { STELLA_DATA: join(home.path, "out/state") };
    const ran = await home.json([
      "export",
      "bundle",
      "--profile",
      "kit",
      "--manifest",
      "out/manifest.json",
    ], { env });
    assert.equal(ran.exit, 2);
    assert.match(ran.error.message, /it contains the keys/);
    assert.ok(!existsSync(join(home.path, "out")));
  } finally {
    home.remove();
  }
});

/**
 * Permissions that revoke nothing, so that the test can continue, and that end the command when it
 * drops permissions.
 */
class Stop implements Permissions {
  readonly revoked: string[] = [];

  revokeSync({ name }: Deno.PermissionDescriptor): Deno.PermissionStatus {
    this.revoked.push(name);
    return this.querySync();
  }

  querySync(): Deno.PermissionStatus {
    return { state: "granted" } as Deno.PermissionStatus;
  }
}

/**
 * The permissions that an export of a profile drops, in a home where the profile is configured; it
 * has not read its input by then.
 */
async function givenUp(home: Home, flags: Partial<ExportFlags>): Promise<string[]> {
  const permissions = new Stop();
  const host = {
    environment: (name: string) => home.environment()[name],
    stop: new AbortController().signal,
    permissions,
  } as unknown as Host;
  const manifest = join(home.path, "out/manifest.json");
  const line = { profile: "p", tenant: "default", layout: "archive", manifest, ...flags } as const;
  await assert.rejects(exportLocally(line, host), {
    message: /Cannot give up the permissions/,
  });
  assert.ok(!existsSync(join(home.path, "out")));
  return permissions.revoked;
}

Deno.test("an export keeps network permission only if it pushes or downloads, and decides before it reads any file", async () => {
  const home = new Home();
  const url = `url: "https://site.invalid/kev.json", sha256: "${"0".repeat(64)}"`;
  const risk = (place: string) => `{ kind: risk, providers: [{ kind: kev, ${place} }] }`;
  Deno.mkdirSync(home.state, { recursive: true });
  Deno.writeTextFileSync(
    join(home.state, "stella.yaml"),
    `version: 1\nprofiles:\n  p: { kind: files, sources: [{ files: /nonexistent }] }\n` +
      `  here: ${risk("path: /nonexistent")}\n  far: ${risk(url)}\n`,
  );
  try {
    const offline = ["net", "env", "run", "ffi", "import"];
    const online = ["env", "run", "ffi", "import"];
    assert.deepEqual(await givenUp(home, {}), offline);
    assert.deepEqual(await givenUp(home, { profile: "here" }), offline);
    assert.deepEqual(await givenUp(home, { profile: "far" }), online);
    const push = "oci://127.0.0.1:1/r:t";
    assert.deepEqual(await givenUp(home, { push }), online);
    const all = ["write", "net", "env", "run", "ffi", "sys", "import"];
    assert.deepEqual(await givenUp(home, { dryRun: true }), all);
  } finally {
    home.remove();
  }
});

Deno.test("an invalid reference is reported before anything is exported", async () => {
  const home = new Home();
  try {
    const ran = await home.json(["export", "bundle", "--profile", "kit", "--push", "oci://"]);
    assert.equal(ran.exit, 2);
    assert.ok(!existsSync(join(home.path, "out")));
  } finally {
    home.remove();
  }
});
