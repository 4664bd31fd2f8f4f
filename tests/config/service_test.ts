/** The settings of the service in stella.yaml. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { loadConfig } from "../../src/config/load.ts";
import { defaultService } from "../../src/config/service.ts";
import { StellaError } from "../../src/domain/errors.ts";

async function load(text: string) {
  const directory = Deno.makeTempDirSync({ prefix: "stella-config-" });
  try {
    const flag = join(directory, "stella.yaml");
    Deno.writeTextFileSync(flag, text);
    const where = { flag, environment: () => undefined };
    return (await loadConfig(where)).config;
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
}

async function faultsOf(text: string): Promise<string[]> {
  const error = await load(text).catch((thrown) => thrown);
  assert.ok(error instanceof StellaError, "it is refused");
  return error.findings.map(({ line, found }) => `${line} ${found}`);
}

const digest = "a".repeat(64);

Deno.test("service, tokens, schedules and retention are read, and missing keys have their defaults", async () => {
  const config = await load(`version: 1
tenants: [default, lab]
service: { concurrency: 4, stallTimeout: 10m, maxRequests: 9, listen: "[::1]:80", opsListen: "0.0.0.0:9", hosts: [stella.site], tls: { certificate: /a.pem, key: /a.key } }
tokens:
  ci: { sha256: ${digest}, tenants: [lab], scopes: [read, write] }
profiles:
  p:
    kind: files
    sources: [{ files: /srv }]
    schedule: { cron: "0 3 * * 1-5", zone: Europe/Berlin, tenant: lab }
    retention: { keep: 14, days: 30 }
`);
  assert.deepEqual(config.service, {
    concurrency: 4,
    stallSeconds: 600,
    listen: "[::1]:80",
    opsListen: "0.0.0.0:9",
    hosts: ["stella.site"],
    tls: { certificate: "/a.pem", key: "/a.key" },
    retentionDays: 90,
    scrubDays: 7,
    maxRequests: 9,
    maxQueued: 20_000,
  });
  assert.deepEqual(config.tokens, [
    { name: "ci", sha256: digest, tenants: ["lab"], scopes: ["read", "write"] },
  ]);
  const profile = config.profiles.get("p");
  assert.deepEqual(profile?.schedule, {
    cron: "0 3 * * 1-5",
    zone: "Europe/Berlin",
    tenant: "lab",
    whenUnchanged: "skip",
  });
  assert.deepEqual(profile?.retention, { keep: 14, days: 30 });
  const plain = await load("version: 1\n");
  assert.deepEqual([plain.service, plain.tokens], [defaultService, []]);
});

Deno.test("a renamed key is refused with its new name", async () => {
  const faults = await faultsOf(`version: 1
service:
  stall: 30m
  keepDays: 30
  mostRequests: 9
  mostQueued: 9
`);
  assert.deepEqual(faults, [
    "3 service.stall: is now called stallTimeout",
    "4 service.keepDays: is now called retentionDays",
    "5 service.mostRequests: is now called maxRequests",
    "6 service.mostQueued: is now called maxQueued",
  ]);
});

Deno.test("all errors are reported at once, each with its line", async () => {
  const faults = await faultsOf(`version: 1
service:
  concurrency: 0
  stallTimeout: 10s
  hosts: ["Stella.site:80"]
  scrubDays: -1
  maxRequests: 0
  listen: stella.site:80
  opsListen: "9090"
tokens:
  ci:
    sha256: XYZ
    tenants: [nobody]
    scopes: [root]
  one: { sha256: ${digest}, tenants: [default], scopes: [read] }
  two: { sha256: ${digest}, tenants: [default], scopes: [admin] }
  anonymous: { sha256: ${"f".repeat(64)}, tenants: [default], scopes: [read] }
profiles:
  p:
    kind: files
    sources: [{ files: /srv }]
    schedule: { cron: "0 3 * *", zone: Mars/Base, tenant: nobody }
    retention: {}
  q:
    kind: files
    sources: [{ files: /srv }]
    schedule: { cron: "0 0 30 2 *" }
  r:
    kind: files
    sources: [{ files: /srv }]
    schedule: { cron: "61 3 * * *" }
  s:
    kind: files
    sources: [{ files: /srv }]
    schedule: { cron: "0 3 * * *", whenUnchanged: maybe }
`);
  const expected: [number, string, RegExp][] = [
    [3, "service.concurrency", />=1/],
    [4, "service.stallTimeout", /at least 1m/],
    [5, "service.hosts[0]", /host name/],
    [6, "service.scrubDays", />=0/],
    [7, "service.maxRequests", />=1/],
    [8, "service.listen", /must be IP:PORT/],
    [9, "service.opsListen", /must be IP:PORT/],
    [12, "tokens.ci.sha256", /64 lowercase hex/],
    [13, "tokens.ci.tenants", /not one of the tenants/],
    [14, "tokens.ci.scopes[0]", /one of read, download, write, admin/],
    [16, "tokens.two.sha256", /is already used by the token one/],
    [17, "tokens.anonymous", /reserved for requests without a token/],
    [22, "profiles.p.schedule.zone", /time zone/],
    [22, "profiles.p.schedule.tenant", /not one of the tenants/],
    [23, "profiles.p.retention", /keep or days/],
    [27, "profiles.q.schedule.cron", /never due/],
    [31, "profiles.r.schedule.cron", /cannot be read/],
    [35, "profiles.s.schedule.whenUnchanged", /must be skip or export/],
  ];
  for (const [line, place, text] of expected) {
    const found = faults.find((fault) => fault.startsWith(`${line} ${place}: `));
    assert.match(found ?? `nothing at ${line} ${place} in ${faults.join("; ")}`, text);
  }
  assert.equal(faults.length, expected.length, faults.join("\n"));
});
