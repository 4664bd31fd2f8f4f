import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { StellaError } from "../../src/domain/errors.ts";
import { grants, permissionFlags } from "../../src/config/permissions.ts";
import type { Permissions } from "../../src/domain/permissions.ts";
import { confine } from "../../src/verify/confine.ts";

/**
 * Permissions as Deno has them: revoking a whole name takes its single grants too; a bare query
 * says nothing of those.
 */
class Fake implements Permissions {
  readonly granted = new Set([
    "read",
    "write",
    "net",
    ...grants.flatMap((grant) => (grant.values ?? []).map((value) => `${grant.name} ${value}`)),
  ]);

  constructor(readonly deaf?: string) {}

  revokeSync(descriptor: Deno.PermissionDescriptor): Deno.PermissionStatus {
    for (const one of [...this.granted]) {
      if (one.split(" ")[0] === descriptor.name && descriptor.name !== this.deaf) {
        this.granted.delete(one);
      }
    }
    return this.querySync(descriptor);
  }

  querySync(descriptor: Deno.PermissionDescriptor): Deno.PermissionStatus {
    const { name, variable, kind } = descriptor as {
      name: string;
      variable?: string;
      kind?: string;
    };
    const key = [name, variable ?? kind].filter((one) => one !== undefined).join(" ");
    return { state: this.granted.has(key) ? "granted" : "prompt" } as Deno.PermissionStatus;
  }
}

Deno.test("confine keeps read alone", () => {
  const fake = new Fake();
  confine(fake, grants);
  assert.deepEqual([...fake.granted], ["read"]);
});

Deno.test("confine fails if a single permission is left", () => {
  for (const name of ["write", "net", "env", "sys"]) {
    assert.throws(() => confine(new Fake(name), grants), (error) => {
      assert.ok(error instanceof StellaError && error.kind === "defect");
      assert.match(error.message, new RegExp(`Cannot give up the permissions ${name}`));
      return true;
    }, name);
  }
});

/** A program that confines itself and then proves it, or proves it without having done so. */
function child(flags: string[], confined: boolean): { code: number; text: string } {
  const probe = fileURLToPath(new URL("confine_probe.ts", import.meta.url));
  const config = fileURLToPath(new URL("../../deno.json", import.meta.url));
  const { code, stdout } = new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-check", `--config=${config}`, ...flags, probe, String(confined)],
    env: { HOME: join("/", "tmp") },
  }).outputSync();
  return { code, text: new TextDecoder().decode(stdout) };
}

Deno.test("confinement works with the flags of the released program, and its absence is detected", () => {
  assert.deepEqual(child(permissionFlags(), true), { code: 0, text: "confined" });
  assert.match(child(permissionFlags(), false).text, /is still allowed after it was given up/);
});

Deno.test("confinement works with all permissions as well", () => {
  assert.deepEqual(child(["-A"], true), { code: 0, text: "confined" });
});

Deno.test("a single remaining permission is detected by using it, and named", () => {
  assert.equal(child(["--no-prompt", "--allow-read"], false).text, "confined");
  for (const name of ["env", "sys", "write", "net", "run"]) {
    const { text } = child(["--no-prompt", "--allow-read", `--allow-${name}`], false);
    assert.equal(text, `Cannot verify: ${name} is still allowed after it was given up`);
  }
  const { text } = child(["--no-prompt"], false);
  assert.equal(text, "Cannot verify: reading was given up too");
});
