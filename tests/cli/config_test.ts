import assert from "node:assert/strict";
import { join } from "node:path";
import { Home } from "../support/program.ts";

async function withConfig(text: string, body: (home: Home, config: string[]) => Promise<void>) {
  const home = new Home();
  try {
    Deno.writeTextFileSync(join(home.path, "stella.yaml"), text);
    await body(home, ["--config", "stella.yaml"]);
  } finally {
    home.remove();
  }
}

const site = `version: 1
registries: { site: { url: "https://registry.site:5000" }, far: { url: "https://far.example" } }
profiles:
  risk:
    kind: risk
    providers:
      - { kind: epss, url: "https://mirror.site/e.csv", sha256: ${"a".repeat(64)} }
traces: { endpoint: "https://collector.site:4318" }
egress: { sealed: SEALED, allow: [registry.site, "*.site:443", "collector.site:4318", unused.site] }
`;

Deno.test("config check lists reachable destinations with their users, and refused destinations", async () => {
  await withConfig(site.replace("SEALED", "true"), async (home, config) => {
    const checked = await home.json(["config", "check", ...config]);
    assert.deepEqual([checked.exit, checked.ok], [2, false]);
    assert.deepEqual(checked.egress.reach, [
      { of: "registry site", destination: "registry.site:5000", allowed: true },
      { of: "registry far", destination: "far.example:443", allowed: false },
      { of: "profile risk", destination: "mirror.site:443", allowed: true },
      { of: "traces", destination: "collector.site:4318", allowed: true },
    ]);
    const { stdout } = await home.stella(["config", "check", ...config]);
    assert.match(stdout, /far\.example:443 \(registry far\): REFUSED/);
    assert.match(stdout, /unused\.site: allowed, and nothing here needs it/);
    assert.doesNotMatch(stdout, /registry\.site: allowed, and nothing/);
  });
});

Deno.test("an open site reaches all destinations, and --destination checks a single one", async () => {
  await withConfig(site.replace("SEALED", "false"), async (home, config) => {
    const checked = await home.stella(["config", "check", ...config]);
    assert.equal(checked.code, 0);
    assert.match(checked.stdout, /egress\.allow has no effect while egress\.sealed is false/);
  });
  await withConfig(site.replace("SEALED", "true"), async (home, config) => {
    const ask = (destination: string) =>
      home.stella(["config", "check", ...config, "--destination", destination]);
    assert.equal((await ask("registry.site:1")).code, 0);
    assert.deepEqual((await ask("far.example:443")).stdout, "far.example:443 is refused\n");
    assert.equal((await ask("no destination")).code, 2);
  });
});

Deno.test("errors in egress, providers and timeline are reported with their lines", async () => {
  const text = `version: 1
egress:
  sealed: yes
  allow: ["https://x", "*.site"]
timeline: { days: 0 }
profiles:
  a:
    kind: risk
    providers:
      - { kind: nvd, path: /x }
      - { kind: kev }
      - { kind: kev, path: /x, url: "https://x/k.json" }
      - { kind: kev, url: "https://x/k.json" }
      - { kind: kev, url: "http://x.site/k.json", sha256: ${"a".repeat(64)} }
      - { kind: kev, path: /x, sha256: ${"a".repeat(64)} }
      - { kind: kev, path: /x, asOf: yesterday, onInvalid: ignore, maxRecordBytes: 0 }
  b: { kind: files, sources: [{ files: /x }], providers: [{ kind: kev, path: /x }] }
  c: { kind: risk }
`;
  await withConfig(text, async (home, config) => {
    const { exit, findings } = await home.json(["config", "check", ...config]);
    assert.equal(exit, 2);
    const reported = findings.map((one: { line: number; found: string }) =>
      `${one.line} ${one.found}`
    );
    for (
      const expected of [
        "3 egress.sealed: must be true or false",
        "4 egress.allow[0]: must be HOST[:PORT], without scheme and path",
        "10 profiles.a.providers[0].kind: must be kev, osv, epss or csaf",
        "11 profiles.a.providers[1]: must have either path or url",
        "12 profiles.a.providers[2]: must have either path or url",
        "13 profiles.a.providers[3].url: must be pinned: give sha256 of its content",
        "14 profiles.a.providers[4].url: must be https",
        "15 profiles.a.providers[5].sha256: needs url",
        "16 profiles.a.providers[6].asOf: must be a date YYYY-MM-DD or a time of RFC 3339",
        "16 profiles.a.providers[6].onInvalid: must be fail or skip",
        "16 profiles.a.providers[6].maxRecordBytes: must be a number of bytes from 1 to 1099511627776",
        "17 profiles.b.providers: is for profiles of the kind risk",
        "18 profiles.c.providers: is missing: a list goes here",
      ]
    ) assert.ok(reported.includes(expected), `${expected}\nof\n${reported.join("\n")}`);
    assert.ok(
      reported.some((one: string) => one.startsWith("5 timeline.days: ")),
      reported.join("\n"),
    );
  });
});

const full = `version: 1
registries:
  site: { url: "https://registry.site:5000", ca: /etc/ca.pem, credential: site }
  near: { url: "http://127.0.0.1:5000", plainHttp: true, credentialsFile: /etc/near.json }
tenants: [lab, default]
profiles:
  advisories:
    kind: files
    sources: [{ files: /srv/osv, prefix: osv, include: ["**/*.json"], exclude: [drafts], follow: true }]
    compression: none
    sla: 15m
    tenants: [lab, default]
    targets: [{ directory: "/srv/{tenant}" }, { registry: site, repository: e/a, tag: "{tenant}-{created}" }]
    schedule: { cron: "0 3 * * *", zone: Europe/Berlin, tenant: lab }
    retention: { keep: 14, days: 30 }
  risk:
    kind: risk
    providers:
      - { kind: kev, path: /srv/kev.json, licence: CC0-1.0, asOf: 2026-08-21, onInvalid: skip }
      - { kind: epss, url: "https://mirror.site/e.csv", sha256: ${"a".repeat(64)} }
    secretFile: /etc/shared.key
egress: { sealed: true, allow: ["*.site"] }
timeline: { days: 7 }
traces: { endpoint: "http://127.0.0.1:4318" }
service: { concurrency: 1, stallTimeout: 90s, hosts: [a.site], tls: { certificate: /c.pem, key: /k.pem } }
tokens: { ci: { sha256: ${"b".repeat(64)}, tenants: [lab], scopes: [read] } }
`;

Deno.test("config show prints the effective configuration as a file that parses to the same", async () => {
  await withConfig(full, async (home, config) => {
    const { stdout } = await home.succeed(["config", "show", ...config]);
    assert.match(stdout, /^# from stella\.yaml\nversion: 1\n/);
    assert.match(stdout, /retentionDays: 90/, "defaults too");
    assert.match(stdout, /sla: 900s/);
    Deno.writeTextFileSync(join(home.path, "again.yaml"), stdout);
    const shown = await home.json(["config", "show", ...config]);
    const again = await home.json(["config", "show", "--config", "again.yaml"]);
    assert.deepEqual(again.config, shown.config);
    assert.deepEqual(shown.config.profiles.advisories.sources[0].files, "/srv/osv");
  });
});

Deno.test("without a file, config show says so and prints the defaults", async () => {
  const home = new Home();
  try {
    const shown = await home.json(["config", "show"]);
    assert.equal(shown.path, null);
    assert.deepEqual(shown.config.tenants, ["default"]);
    assert.deepEqual(shown.config.profiles, {});
  } finally {
    home.remove();
  }
});

Deno.test("config schema names every key that the configuration may have", async () => {
  await withConfig(full, async (home, config) => {
    const { schema } = await home.json(["config", "schema"]);
    const { config: shown } = await home.json(["config", "show", ...config]);
    assert.equal(schema.$schema, "https://json-schema.org/draft/2020-12/schema");
    assert.equal(schema.additionalProperties, false);
    assert.deepEqual(Object.keys(schema.properties).sort(), Object.keys(shown).sort());
    const profile = schema.properties.profiles.additionalProperties.properties;
    const { advisories, risk } = shown.profiles;
    for (const key of Object.keys({ ...advisories, ...risk })) assert.ok(key in profile, key);
    for (const key of Object.keys(shown.service)) {
      assert.ok(key in schema.properties.service.properties, key);
    }
  });
});
