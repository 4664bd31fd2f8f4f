/** Unneeded permissions are dropped, and a permission that cannot be dropped ends the command. */
import assert from "node:assert/strict";
import { grants } from "../../src/config/permissions.ts";
import type { Permission, Permissions } from "../../src/domain/permissions.ts";
import { type Command, flagOf } from "../../src/cli/command.ts";
import { loadSubjects } from "../../src/cli/commands.ts";
import { parse } from "../../src/cli/parse.ts";
import { dropPermissions } from "../../src/cli/permissions.ts";
import { Home } from "../support/program.ts";

/**
 * A model of Deno's permissions: values are queried one by one, and revoking a name revokes all of
 * its values.
 */
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

Deno.test("a command keeps the permissions that it declares, and version drops none", async () => {
  for (const command of (await loadSubjects()).flatMap(({ commands }) => commands)) {
    const { permissions: kept } = prepared(command);
    if (kept === "unchanged") {
      assert.equal(command.path, "version");
      continue;
    }
    const permissions = fake();
    await dropPermissions({ permissions }, kept);
    const all = ["write", "net", "env", "run", "ffi", "sys", "import"] as const;
    const given = all.filter((name) => !kept.some((one) => one === name));
    assert.deepEqual([...permissions.revoked], given, command.path);
  }
});

/** Values for each required argument and option. */
function prepared(command: Command) {
  const args = Object.entries(command.args)
    .map(([, { choices: [first = "x"] = [] }]) => first);
  const options = Object.entries(command.options)
    .flatMap(([name, one]) => one.kind === "text" && one.required ? [`${flagOf(name)}=x`] : []);
  const { typed, faults } = parse(command, [...args, ...options]);
  assert.deepEqual(faults, [], command.path);
  return command.prepare(typed);
}

Deno.test("a permission that cannot be dropped, whole or for one value, ends the command and is named", async () => {
  const refused = (kept: Permission[], deaf: string[]) =>
    dropPermissions({ permissions: fake(deaf) }, kept);
  await assert.rejects(refused([], ["net"]), /give up the permissions net$/);
  const values = /give up the permissions sys:hostname, sys:statfs$/;
  await assert.rejects(refused([], ["sys"]), values);
  await assert.rejects(refused(["net", "env"], ["write"]), /write$/);
  await refused(["net", "env"], ["env"]);
});

Deno.test("commands work with the permissions that they keep", async () => {
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
