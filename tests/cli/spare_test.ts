import assert from "node:assert/strict";
import { neededBy, neededFor } from "../../src/config/needed.ts";
import { grants } from "../../src/config/permissions.ts";
import type { Permissions } from "../../src/cli/host.ts";
import { spare } from "../../src/cli/spare.ts";
import { Home } from "../support/program.ts";

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

const asked = { options: {}, args: [] };

Deno.test("a command gives up all but what its row says, and version nothing", async () => {
  for (const command of Object.keys(neededBy).filter((name) => name !== "version")) {
    const permissions = fake();
    await spare(command, asked, permissions);
    const kept = neededFor(command, asked)!;
    const all = ["write", "net", "env", "run", "ffi", "sys", "import"];
    const given = all.filter((name) => !(kept as readonly string[]).includes(name));
    assert.deepEqual([...permissions.revoked], given, command);
  }
  const permissions = fake();
  await spare("version", asked, permissions);
  assert.deepEqual([...permissions.revoked], []);
});

Deno.test("a command that nobody gave a row does nothing", async () => {
  await assert.rejects(spare("export moon", asked, fake()), {
    code: "internal",
    message: /Cannot run export moon: nobody has said what it needs/,
  });
});

Deno.test("a permission that stays, whole or by one value, ends the command with its name", async () => {
  const refused = (command: string, deaf: string[]) => spare(command, asked, fake(deaf));
  await assert.rejects(refused("assets list", ["net"]), /give up the permissions net$/);
  const values = /give up the permissions sys:hostname, sys:statfs$/;
  await assert.rejects(refused("assets list", ["sys"]), values);
  await assert.rejects(
    refused("health", ["env"]).then(() => refused("health", ["write"])),
    /write$/,
  );
});

Deno.test("commands do their work with what they keep", async () => {
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
