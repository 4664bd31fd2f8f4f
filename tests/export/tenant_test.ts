import assert from "node:assert/strict";
import { tenantOf } from "../../src/export/spec.ts";
import type { Profile } from "../../src/config/profile.ts";

function profile(tenants?: string[]): Profile {
  const more = tenants === undefined ? {} : { tenants };
  return { name: "pub", kind: "files", sources: [], compression: "zstd", targets: [], ...more };
}

Deno.test("the tenant is the given one, else the first of the profile, else default", () => {
  assert.equal(tenantOf("lab", profile()), "lab");
  assert.equal(tenantOf("b", profile(["a", "b"])), "b");
  assert.equal(tenantOf(undefined, profile(["a", "b"])), "a");
  assert.equal(tenantOf(undefined, profile()), "default");
});

Deno.test("a profile of other tenants is refused, and the hint names them", () => {
  assert.throws(() => tenantOf("c", profile(["a", "b"])), {
    kind: "policy",
    message:
      'Cannot export the profile "pub" for the tenant "c": it is not one of the profile\'s tenants',
    hint: "name one of them with --tenant: a, b",
  });
  assert.throws(() => tenantOf("../x", profile()), { kind: "usage" });
});
