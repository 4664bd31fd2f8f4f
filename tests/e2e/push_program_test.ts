/**
 * `stella export bundle push` of invalid bundles: what the registry holds afterwards, and what the
 * command reports.
 */
import assert from "node:assert/strict";
import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Home } from "../support/program.ts";
import { FakeRegistry } from "../support/registry/fake_registry.ts";
import { status } from "../support/registry/corrupted.ts";

interface Scene {
  home: Home;
  registry: FakeRegistry;
  /** Path of a file of the bundle in out/. */
  file(name: string): string;
  // deno-lint-ignore no-explicit-any -- the result of the command
  push(...more: string[]): Promise<any>;
}

function programTest(name: string, body: (scene: Scene) => Promise<void>): void {
  Deno.test(name, async () => {
    const home = new Home();
    const registry = await new FakeRegistry().start();
    try {
      const args = ["--profile", "kit", "--manifest", "out/manifest.json"];
      await home.succeed(["export", "bundle", ...args, "--compression", "none"]);
      const push = ["export", "bundle", "push", "--manifest", "out"];
      await body({
        home,
        registry,
        file: (name) => join(home.path, "out", name),
        push: (...more) => home.json([...push, `oci://${registry.host}/exports/kit:v1`, ...more]),
      });
    } finally {
      await registry.stop();
      home.remove();
    }
  });
}

const reasons = (findings: { code: number; reason: string }[]) =>
  findings.map(({ code, reason }) => `${code} ${reason}`);

programTest("push: a valid bundle is published", async ({ registry, push }) => {
  const { exit, pushed } = await push();
  assert.deepEqual([exit, pushed.tag], [0, "v1"]);
  assert(registry.manifests.has("v1"));
});

programTest(
  "push: nothing is sent of a bundle by an untrusted signer",
  async ({ home, registry, push }) => {
    const { exit, findings } = await push();
    assert.equal(exit, 0, "the control");
    registry.log.length = 0;
    await home.succeed(["keys", "generate", "--out", "other.key"]);
    const kit = ["--profile", "kit", "--manifest", "out/manifest.json", "--key", "other.key"];
    await home.succeed(["export", "bundle", ...kit]);
    const refused = await push();
    assert.deepEqual([refused.exit, reasons(refused.findings)], [5, ["5 key_unknown"]], findings);
    assert.deepEqual(registry.log, []);
  },
);

programTest(
  "push: nothing is sent of a bundle with a changed manifest",
  async ({ registry, file, push }) => {
    const text = readFileSync(file("manifest.json"), "utf8");
    writeFileSync(file("manifest.json"), text.replace('"profile":"kit"', '"profile":"kid"'));
    const { exit, findings } = await push();
    assert.deepEqual([exit, reasons(findings)], [4, ["4 subject_mismatch"]]);
    assert.deepEqual(registry.log, []);
  },
);

programTest("push: a changed archive is refused, and nothing refers to it", async (scene) => {
  const { registry, file, push } = scene;
  const bytes = readFileSync(file("kit.tar"));
  bytes[bytes.length >> 1]! ^= 1;
  writeFileSync(file("kit.tar"), bytes);
  const { exit, findings } = await push();
  assert.equal(exit, 7);
  assert(reasons(findings).includes("7 digest_mismatch"), JSON.stringify(findings));
  assert.equal(registry.manifests.size, 0);
});

programTest(
  "push: an archive with trailing data is refused with the findings of verify",
  async (scene) => {
    const { registry, file, push } = scene;
    appendFileSync(file("kit.tar"), "x");
    const { exit } = await push();
    assert.equal(exit, 8);
    assert.equal(registry.manifests.size, 0);
  },
);

programTest(
  "push: a missing write permission is reported, whatever the state of the bundle",
  async (scene) => {
    const { registry, push } = scene;
    registry.fault(/./, status(403));
    const { exit, error } = await push();
    assert.deepEqual([exit, registry.manifests.size], [13, 0]);
    assert.match(error.message, /: 403 Forbidden$/);
  },
);

programTest(
  "push: the HMAC signature is pushed and found by verify",
  async (scene) => {
    const { home, registry, push } = scene;
    for (const name of ["shared.key", "other.key"]) {
      await home.succeed(["keys", "generate", "--algorithm", "hmac", "--out", name]);
    }
    const kit = ["--profile", "kit", "--manifest", "out/manifest.json", "--secret", "shared.key"];
    await home.succeed(["export", "bundle", ...kit]);
    const { pushed } = await push();
    const index = registry.manifests.get(pushed.digest.replace(":", "-"))!;
    const types = JSON.parse(new TextDecoder().decode(index.bytes)).manifests
      .map(({ artifactType }: { artifactType: string }) => artifactType);
    assert.deepEqual(types, [
      "application/vnd.stella.hmac.v1+json",
      "application/vnd.dev.sigstore.bundle.v0.3+json",
    ]);
    const ref = `oci://${registry.host}/exports/kit:v1`;
    for (const [secret, exit] of [["shared.key", 0], ["other.key", 5]] as const) {
      const verified = await home.json(["verify", ref, "--secret", secret]);
      assert.equal(verified.exit, exit, JSON.stringify(verified));
    }
    assert.equal((await home.json(["verify", ref])).exit, 0, "the key pair still vouches too");
    const pull = ["export", "bundle", "pull", ref, "--to", "in", "--secret", "shared.key"];
    await home.succeed(pull);
    await home.succeed(["verify", "in", "--secret", "shared.key"]);
    const right = readFileSync(join(home.path, "out/manifest.json.hmac.json"));
    assert.deepEqual(readFileSync(join(home.path, "in/manifest.json.hmac.json")), right);
  },
);

programTest("verify in place: without an HMAC signature, --secret is refused", async (scene) => {
  const { home, registry, push } = scene;
  await push();
  await home.succeed(["keys", "generate", "--algorithm", "hmac", "--out", "shared.key"]);
  const ref = `oci://${registry.host}/exports/kit:v1`;
  const { exit, findings } = await home.json(["verify", ref, "--secret", "shared.key"]);
  assert.deepEqual([exit, reasons(findings)], [5, ["5 hmac_missing"]]);
});

/** Splits a command line into words as a shell does. */
async function wordsOf(line: string): Promise<string[]> {
  const args = ["-c", `set -- ${line}; printf '%s\\n' "$@"`];
  const { stdout } = await new Deno.Command("/bin/sh", { args }).output();
  return new TextDecoder().decode(stdout).trim().split("\n");
}

programTest(
  "export --push keeps the bundle if the push fails, and names the command that resumes it",
  async (scene) => {
    const { home, registry } = scene;
    await home.succeed(["keys", "generate", "--out", "other.key"]);
    const ref = `oci://${registry.host}/exports/kit:v2`;
    const directory = "it's out";
    registry.fault(/^PUT .*\/manifests\//, status(403), 1);
    const failed = await home.json([
      ...["export", "bundle", "--profile", "kit", "--manifest", `${directory}/manifest.json`],
      ...["--key", "other.key", "--push", ref, "--mount-from", "exports/base"],
    ]);
    assert.deepEqual([failed.exit, failed.error.reason], [13, "auth"]);
    const { ok, code, verdict, bundle, targets, pushed } = failed;
    assert.deepEqual([ok, code, verdict, bundle.profile, pushed], [
      ...[false, 13, "exported", "kit", undefined],
    ]);
    assert.deepEqual(
      targets.map((one: Record<string, unknown>) => [one["reference"], one["ok"], one["code"]]),
      [[ref, false, 13]],
    );
    assert.match(
      failed.error.message,
      /: 403 UNKNOWN: .*; the bundle itself is complete in "it's out"$/,
    );
    const [, first, command] = /^(.*); push it with: (.*)$/.exec(failed.error.hint) ?? [];
    assert.match(first!, /^ask for access/);
    await home.succeed(["verify", directory, "--trust", "other.pub"]);
    const [program, ...words] = await wordsOf(command!);
    assert.equal(program, "stella");
    assert(words.includes("--mount-from") && words.includes(directory), command);
    await home.succeed(words);
    assert(registry.manifests.has("v2"));
    const again = await home.json([
      ...["export", "bundle", "--profile", "kit", "--manifest", "more/manifest.json"],
      ...["--push", ref],
    ]);
    assert.deepEqual([again.ok, again.targets[0].reference, again.targets[0].ok], [
      true,
      ref,
      true,
    ]);
    assert.equal(again.pushed.tag, "v2");
  },
);

programTest(
  "the credentials of the repository's path are used if a host has several entries",
  async (scene) => {
    const { home, registry, push } = scene;
    const right = `Basic ${btoa("robot-b:secret-b")}`;
    registry.guard = (request, response) => {
      const { authorization } = request.headers;
      if (authorization === right) return true;
      if (authorization !== undefined) response.writeHead(403).end();
      else response.writeHead(401, { "www-authenticate": 'Basic realm="r"' }).end();
      return false;
    };
    const entry = (robot: string) => ({ auth: btoa(`robot-${robot}:secret-${robot}`) });
    const write = (auths: unknown) =>
      writeFileSync(join(home.path, "auth.json"), JSON.stringify({ auths }), { mode: 0o600 });
    write({ [`${registry.host}/kits`]: entry("a"), [`${registry.host}/exports`]: entry("b") });
    const { exit } = await push("--credentials", "auth.json");
    assert.equal(exit, 0);
    write({ [`${registry.host}/kits`]: entry("b") });
    registry.authorizations.length = 0;
    const { exit: without, error } = await push("--credentials", "auth.json");
    assert.equal(without, 2);
    assert.match(error.message, /no entry for 127\.0\.0\.1:\d+\/exports\/kit$/);
    assert.deepEqual(registry.authorizations, [], "another path's credentials were sent");
  },
);
