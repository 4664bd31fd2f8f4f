import assert from "node:assert/strict";
import { grants, spared } from "../../src/config/permissions.ts";
import type { Permissions } from "../../src/cli/host.ts";
import { spare } from "../../src/cli/spare.ts";
import { Home } from "../program.ts";

/** Permissions as Deno has them: values are asked for one by one, and revoking a name ends all of its values. */
function fake(deaf: string[] = []): Permissions & { revoked: Set<string> } {
  const revoked = new Set<string>();
  const state = ({ name, kind, variable }: { name: string; kind?: string; variable?: string }) => {
    const values = grants.find((grant) => grant.name === name)?.values;
    const value = kind ?? variable;
    const granted = values === undefined ? value === undefined : value !== undefined;
    return granted && !revoked.has(name) ? "granted" : "prompt";
  };
  const answer = (descriptor: Deno.PermissionDescriptor) =>
    ({ state: state(descriptor as { name: string }) }) as Deno.PermissionStatus;
  return {
    revoked,
    querySync: answer,
    revokeSync: (descriptor) => {
      if (!deaf.includes(descriptor.name)) revoked.add(descriptor.name);
      return answer(descriptor);
    },
  };
}

Deno.test("a command gives up exactly what the list says, and an unknown one nothing", () => {
  for (const [command, names] of Object.entries(spared)) {
    const permissions = fake();
    spare(command, permissions);
    assert.deepEqual([...permissions.revoked], names, command);
  }
  const permissions = fake();
  spare("serve", permissions);
  assert.deepEqual([...permissions.revoked], []);
});

Deno.test("a permission that stays, whole or by one value, ends the command with its name", () => {
  assert.throws(() => spare("assets list", fake(["net"])), /give up the permissions net$/);
  assert.throws(
    () => spare("assets list", fake(["sys"])),
    /give up the permissions sys:hostname, sys:statfs$/,
  );
});

Deno.test("the commands that give something up do their work without it", async () => {
  const home = new Home();
  try {
    await home.succeed(["assets", "list"]);
    await home.succeed(["assets", "write", "kit"]);
    await home.succeed(["keys", "generate", "--out", "other.key"]);
    await home.succeed(["export", "bundle", "--profile", "kit"]);
    await home.succeed(["keys", "show"]);
    await home.succeed(["keys", "trust", `${home.state}/keys/signing.pub`]);
    const service = await home.serve();
    try {
      await home.succeed(["health", "--url", service.url]);
      await home.succeed(["status", "--url", service.url, "--manifest", "out/manifest.json"]);
    } finally {
      await service.stop();
    }
  } finally {
    home.remove();
  }
});
