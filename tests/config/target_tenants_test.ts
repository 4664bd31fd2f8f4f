/**
 * Targets that several tenants would share are detected when the configuration is read, by `config
 * check` and at start-up.
 */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseConfig } from "../../src/config/parse.ts";
import { renderDirectory } from "../../src/config/target_tenants.ts";
import { StellaError } from "../../src/domain/errors.ts";

/** Errors of profiles with these tenants and targets, as `line path: text`. */
function faultsOf(
  profiles: Record<string, { tenants?: string[]; targets: unknown[]; schedule?: unknown }>,
  tenants = ["a", "b"],
): string[] {
  const registries = {
    site: { url: "https://registry.site:5000" },
    again: { url: "https://Registry.site:5000/" },
    usual: { url: "https://registry.site" },
    spelled: { url: "https://registry.site:443" },
    plain: { url: "http://registry.site", plainHttp: true },
  };
  const whole = Object.entries(profiles).map(([name, rest]) => [
    name,
    { kind: "files", sources: [{ files: "/srv/in" }], ...rest },
  ]);
  const config = { version: 1, tenants, registries, profiles: Object.fromEntries(whole) };
  try {
    parseConfig("stella.yaml", JSON.stringify(config));
    return [];
  } catch (error) {
    assert.ok(error instanceof StellaError);
    assert.equal(error.kind, "config");
    return error.findings.map(({ found = "" }) => found);
  }
}

const directory = (path: string) => ({ directory: path });
const tag = (template: string, registry = "site", repository = "exports/x") => ({
  registry,
  repository,
  tag: template,
});

Deno.test("a profile with several tenants and one target for all of them is refused by name", () => {
  for (const target of [directory("/srv/out"), tag("latest"), tag("{profile}"), tag("{created}")]) {
    const [fault = "", ...more] = faultsOf({ pub: { targets: [target] } });
    assert.match(fault, /^profiles\.pub\.targets\[0\]: is one (directory|tag) for several tenants/);
    assert.match(fault, /a \(profile pub\), b \(profile pub\): put \{tenant\} into it/);
    assert.deepEqual(more, []);
  }
});

Deno.test("{tenant} in the target, a single tenant or a tag unique to a bundle is accepted", () => {
  const good = [
    { targets: [directory("/srv/{tenant}/out"), tag("{tenant}-latest")] },
    { targets: [tag("{digest}")] },
    { tenants: ["a"], targets: [directory("/srv/out"), tag("latest")] },
  ];
  for (const pub of good) assert.deepEqual(faultsOf({ pub }), []);
  assert.deepEqual(faultsOf({ pub: { targets: [directory("/srv/out"), tag("l")] } }, ["a"]), []);
});

Deno.test("two profiles with different tenants and the same target are refused, both by name", () => {
  const pairs: [unknown, unknown][] = [
    [directory("/srv/out"), directory("/srv//out/")],
    [directory("/srv/out"), directory("/srv/{tenant}")],
    [directory("/srv/out"), directory("/srv/out/below/it")],
    [tag("latest"), tag("latest")],
    [tag("latest"), tag("latest", "again")],
    [tag("q"), tag("{profile}")],
  ];
  for (const [first, second] of pairs) {
    const faults = faultsOf({
      p: { tenants: ["a"], targets: [first] },
      q: { tenants: ["out"], targets: [second] },
    }, ["a", "out"]);
    const places = faults.map((one) => one.split(": ")[0]).sort();
    assert.deepEqual(places, ["profiles.p.targets[0]", "profiles.q.targets[0]"], `${faults}`);
  }
  const apart: [unknown, unknown][] = [
    [directory("/srv/out"), directory("/srv/outer")],
    [tag("latest"), tag("latest", "site", "exports/y")],
    [tag("latest"), tag("newest")],
  ];
  for (const [first, second] of apart) {
    const profiles = {
      p: { tenants: ["a"], targets: [first] },
      q: { tenants: ["b"], targets: [second] },
    };
    assert.deepEqual(faultsOf(profiles), []);
  }
});

Deno.test("targets are the same if they differ only in links, case, default ports or a tag template", () => {
  const top = mkdtempSync(join(tmpdir(), "stella-targets-"));
  try {
    mkdirSync(join(top, "real"));
    symlinkSync("real", join(top, "link"));
    symlinkSync("absent", join(top, "dangling"));
    const pairs: [unknown, unknown][] = [
      [directory(join(top, "real")), directory(join(top, "link"))],
      [directory(join(top, "real/new/out")), directory(join(top, "link/new"))],
      [directory(join(top, "link/{tenant}")), directory(join(top, "real/a"))],
      [directory(join(top, "Out")), directory(join(top, "out"))],
      [directory(join(top, "\u00e9")), directory(join(top, "e\u0301"))],
      [tag("latest", "usual"), tag("latest", "spelled")],
      [tag("latest", "usual"), tag("latest", "plain")],
      [tag("{created}"), tag("20260101T000000Z")],
    ];
    for (const [a, b] of pairs) {
      const profiles = {
        one: { tenants: ["a"], targets: [a] },
        two: { tenants: ["b"], targets: [b] },
      };
      assert.equal(faultsOf(profiles).length, 2, JSON.stringify([a, b]));
    }
    const [a, b] = [directory(join(top, "link/a")), directory(join(top, "dangling/b"))];
    const apart = { one: { tenants: ["a"], targets: [a] }, two: { tenants: ["b"], targets: [b] } };
    assert.deepEqual(faultsOf(apart), []);
  } finally {
    rmSync(top, { recursive: true });
  }
});

Deno.test("profiles of one tenant may share a target", () => {
  const one = { tenants: ["a"], targets: [tag("latest")] };
  assert.deepEqual(faultsOf({ p: one, q: one }), []);
});

Deno.test("a tag that is too long for a tenant is reported", () => {
  const long = "t".repeat(64);
  const [fault = ""] = faultsOf(
    { pub: { targets: [tag("{tenant}-{digest}")] } },
    ["a", long],
  );
  assert.match(fault, /^profiles\.pub\.targets\[0\]\.tag: is no tag for the tenant t{64}/);
});

Deno.test("the tenants of a profile and of its schedule must be configured tenants", () => {
  const [unknown = ""] = faultsOf({ p: { tenants: ["nobody"], targets: [] } });
  assert.match(unknown, /^profiles\.p\.tenants: is not one of the tenants/);
  const schedule = { cron: "0 3 * * *", tenant: "b" };
  const [foreign = ""] = faultsOf({ p: { tenants: ["a"], targets: [], schedule } });
  assert.match(foreign, /^profiles\.p\.schedule\.tenant: is not one of the profile's tenants/);
  assert.deepEqual(faultsOf({ p: { tenants: ["b"], targets: [], schedule } }), []);
  assert.match(faultsOf({ p: { tenants: [], targets: [] } })[0] ?? "", /at least one tenant/);
});

Deno.test("placeholders in a directory are replaced", () => {
  assert.equal(renderDirectory("/srv/{tenant}/out-{tenant}", "lab"), "/srv/lab/out-lab");
  assert.equal(renderDirectory("/srv/{x}", "lab"), "/srv/{x}");
});
