/**
 * The scenarios are in tests/fixtures/egress: the configuration of a site, and the destinations
 * that it must allow or refuse.
 */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { StellaError } from "../../src/domain/errors.ts";
import {
  type EgressConfig,
  egressFault,
  egressPolicy,
  isAllowed,
} from "../../src/domain/egress.ts";

interface Scenario {
  why: string;
  egress: EgressConfig;
  allowed: string[];
  denied: string[];
}

const folder = fileURLToPath(new URL("../fixtures/egress", import.meta.url));
const scenarios = readdirSync(folder).sort().map((name): [string, Scenario] => [
  name.replace(/\.json$/, ""),
  JSON.parse(readFileSync(join(folder, name), "utf8")),
]);

/** The arguments that a transport passes: the host as URL writes it, IPv6 without brackets. */
function split(destination: string): [string, number] {
  const at = destination.lastIndexOf(":");
  return [destination.slice(0, at).replace(/^\[|\]$/g, ""), Number(destination.slice(at + 1))];
}

for (const [name, { why, egress, allowed, denied }] of scenarios) {
  Deno.test(`egress, ${name}: ${why}`, () => {
    assert.deepEqual(egress.allow.flatMap((entry) => egressFault(entry) ?? []), []);
    const refused: string[] = [];
    const policy = egressPolicy(egress, (host, port) => refused.push(`${host} ${port}`));
    for (const destination of allowed) policy(...split(destination));
    assert.deepEqual(refused, []);
    for (const destination of denied) {
      assert.throws(() => policy(...split(destination)), (error) => {
        assert.ok(error instanceof StellaError);
        assert.deepEqual([error.kind, error.reason], ["policy", "egress_refused"], destination);
        return true;
      }, destination);
    }
    assert.deepEqual(refused, denied.map((one) => split(one).join(" ")));
  });
}

Deno.test("the egress scenarios include allowed and refused connections", () => {
  assert.ok(scenarios.length >= 8);
  assert.ok(scenarios.some(([, one]) => one.denied.length > 5));
  assert.ok(scenarios.some(([, one]) => one.allowed.length > 2));
});

Deno.test("an entry that can never match is an error", () => {
  const cases: [string, RegExp][] = [
    ["https://registry.site", /without scheme and path/],
    ["registry.site/path", /without scheme and path/],
    ["10.0.0.0/8", /without scheme and path/],
    ["*", /must be HOST/],
    ["*.", /must be HOST/],
    ["*registry.site", /must be HOST/],
    ["registry.*", /must be HOST/],
    ["registry.site:", /must be HOST/],
    ["registry.site:0", /must be HOST/],
    ["registry.site:65536", /must be HOST/],
    ["127.1", /must be HOST/],
    ["0x7f.0.0.1", /must be HOST/],
    ["2130706433", /must be HOST/],
    ["*.10.0.0.1", /must be HOST/],
    ["::1", /must be HOST/],
    ["[0::1]", /must be HOST/],
    ["[::1", /must be HOST/],
    ["user@registry.site", /must be HOST/],
    ["registry_site", /must be HOST/],
    ["", /must be HOST/],
    [" registry.site", /must be HOST/],
  ];
  for (const [entry, expected] of cases) {
    assert.match(egressFault(entry) ?? "taken", expected, entry);
  }
});

Deno.test("an invalid entry allows nothing", () => {
  assert.equal(isAllowed({ sealed: true, allow: ["*"] }, "registry.site", 443), false);
});
