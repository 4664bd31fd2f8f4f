import assert from "node:assert/strict";
import { exportTenant } from "../../src/cli/export_tenant.ts";
import type { Profile } from "../../src/config/profile.ts";

function profile(tenants?: string[]): Profile {
  const more = tenants === undefined ? {} : { tenants };
  return { name: "pub", kind: "files", sources: [], compression: "zstd", targets: [], ...more };
}

Deno.test("the tenant is the one that was named, else the first of the profile, else default", () => {
  assert.equal(exportTenant("lab", profile()), "lab");
  assert.equal(exportTenant("b", profile(["a", "b"])), "b");
  assert.equal(exportTenant(undefined, profile(["a", "b"])), "a");
  assert.equal(exportTenant(undefined, profile()), "default");
});

Deno.test("a profile of other tenants is refused, and the hint names them", () => {
  assert.throws(() => exportTenant("c", profile(["a", "b"])), {
    code: "policy",
    message:
      'Cannot export the profile "pub" for the tenant "c": it is not one of the profile\'s tenants',
    hint: "name one of them with --tenant: a, b",
  });
  assert.throws(() => exportTenant("../x", profile()), { code: "usage" });
});
