/** Risk data from its files to the answers of `stella risk query`. */
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { epss, goPackage, kev, kevEntry, osv } from "../support/risk_records.ts";
import { Home, type Ran } from "../support/program.ts";

class Site {
  readonly home = new Home();

  /** Exports `files` as one provider; `more` is added to its configuration. */
  async export(kind: string, files: Record<string, string | Uint8Array>, more = ""): Promise<Ran> {
    const root = this.home.path;
    Deno.mkdirSync(join(root, "data"));
    for (const [name, content] of Object.entries(files)) {
      const path = join(root, "data", name);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, content);
    }
    writeFileSync(
      join(root, "s.yaml"),
      `version: 1\nprofiles:\n  r:\n    kind: risk\n    providers: [{ kind: ${kind}, path: ${root}/data${more} }]\n`,
    );
    const asked = ["export", "bundle", "--config", join(root, "s.yaml"), "--profile", "r"];
    const left = [
      "--report",
      join(root, "report.json"),
      "--metrics-textfile",
      join(root, "run.prom"),
    ];
    const manifest = join(root, "out/manifest.json");
    return await this.home.stella([...asked, ...left, "--manifest", manifest]);
  }

  async query(id: string, ...more: string[]): Promise<Ran> {
    const manifest = join(this.home.path, "out");
    return await this.home.stella(["risk", "query", id, "--manifest", manifest, ...more]);
  }

  [Symbol.dispose](): void {
    this.home.remove();
  }
}

const released = { modified: "2025-01-01T00:00:00Z" };

Deno.test("the record of a distribution is found under the CVE that it names as upstream", async () => {
  using site = new Site();
  const record = { ...released, upstream: ["CVE-2025-0001"], affected: [goPackage("demo", "1.2")] };
  assert.equal((await site.export("osv", { "a.json": osv("DSA-1-1", record) })).code, 0);
  const { code, stdout } = await site.query("CVE-2025-0001");
  assert.equal(code, 0);
  assert.match(stdout, /affected {4}Go demo introduced 0, fixed 1\.2 \(upstream: DSA-1-1\)/);
  assert.match(stdout, /source {6}osv DSA-1-1 \(upstream, of 2025-01-01\)/);
  const own = await site.query("dsa-1-1");
  assert.match(own.stdout, /^DSA-1-1\n {2}exploited {3}query its CVEs: CVE-2025-0001\n/);
});

Deno.test("a record without a CVE is answered with the CVEs of its aliases, if known", async () => {
  using site = new Site();
  const records: [string, Record<string, unknown>][] = [
    ["GHSA-1", { aliases: ["CVE-2025-0001", "CVE-2025-0002", "PYSEC-1"] }],
    ["GO-1", { aliases: ["ghsa-1"] }],
    ["GO-2", { aliases: ["PYSEC-1"] }],
    ["GO-3", { aliases: ["GHSA-3"] }],
    ["PYSEC-1", {}],
    ["USN-1", { upstream: ["UBUNTU-CVE-2025-0003", "GHSA-1"] }],
  ];
  const files = records.map(([id, more]) => [`${id}.json`, osv(id, { ...released, ...more })]);
  assert.equal((await site.export("osv", Object.fromEntries(files))).code, 0);
  const exploited = async (id: string) => {
    const { stdout } = await site.query(id);
    return [...stdout.matchAll(/^(\S+).*\n(?: {2}covers.*\n)? {2}exploited +(.*)$/gm)]
      .map(([, line, answer]) => `${line}: ${answer}`);
  };
  const covered = "query the CVEs of GHSA-1: CVE-2025-0001, CVE-2025-0002";
  const own = "GHSA-1: query its CVEs: CVE-2025-0001, CVE-2025-0002";
  assert.deepEqual(await exploited("go-1"), [`GO-1: ${covered}`]);
  assert.deepEqual(await exploited("GO-2"), [`GO-2: ${covered}`]);
  assert.deepEqual(await exploited("GHSA-1"), [own, `GO-1: ${covered}`]);
  assert.deepEqual(await exploited("PYSEC-1"), [own, `GO-2: ${covered}`, `PYSEC-1: ${covered}`]);
  assert.deepEqual(await exploited("GO-3"), ["GO-3: unknown, as it has no CVE"]);
  assert.deepEqual(await exploited("USN-1"), [
    "USN-1: query its CVEs: CVE-2025-0001, CVE-2025-0002, CVE-2025-0003",
  ]);
  const { answers: [one] } = JSON.parse((await site.query("GO-1", "--json")).stdout);
  assert.deepEqual([one.aliases, one.coveredBy], [["ghsa-1"], [
    { record: "GHSA-1", cves: ["CVE-2025-0001", "CVE-2025-0002"] },
  ]]);
});

Deno.test("ids match in any case; an unknown id and a malformed id have different codes", async () => {
  using site = new Site();
  const exported = await site.export("osv", {
    "a.json": osv("GO-2025-1", { ...released, aliases: ["CVE-2025-11111"] }),
    "b.json": osv("GHSA-2", { ...released, aliases: ["CVE-2025-22222", "GHSA-2,"] }),
    "broken.json": "{",
    "all.zip": "PK",
  }, ", onInvalid: skip");
  assert.match(exported.stdout, /left out {2}osv: 1 invalid record, 1 bad id, 1 file not read/);
  const report = JSON.parse(Deno.readTextFileSync(join(site.home.path, "report.json")));
  const { records, rejected, badIds, unread } = report.risk[0];
  assert.deepEqual([records, rejected, badIds, unread], [2, 1, 1, 1]);
  const metrics = Deno.readTextFileSync(join(site.home.path, "run.prom"));
  for (const reason of ["invalid", "bad_id", "unread"]) {
    const labels = `command="export bundle",profile="r",reason="${reason}"`;
    assert.ok(metrics.includes(`export_run_risk_records_left_out{${labels}} 1\n`), metrics);
  }
  for (const id of ["cve-2025-11111", "go-2025-1"]) {
    const { code, stdout } = await site.query(id);
    assert.equal(code, 0, id);
    assert.match(stdout, /^CVE-2025-11111 {2}GO-2025-1\n/);
    assert.match(stdout, /left out {4}osv broken\.json: is not JSON.*it may be about this id/);
    assert.ok(!stdout.includes("b.json"), "what is about another id is not told");
  }
  assert.match(
    (await site.query("CVE-2025-22222")).stdout,
    /left out {4}osv b\.json: aliases\[1\]/,
  );
  const absent = await site.query("CVE-2099-0001");
  assert.equal(absent.code, 16);
  assert.match(absent.stdout, /^not found: "CVE-2099-0001" is in none of the providers/);
  assert.match(absent.stdout, /asked {7}osv, as of 2025-01-01T00:00:00Z: 2 records/);
  const json = JSON.parse((await site.query("CVE-2099-0001", "--json")).stdout);
  assert.deepEqual([json.ok, json.code, json.reason, json.found], [false, 16, "not_found", false]);
  assert.deepEqual(json.providers[0], {
    name: "osv",
    kind: "osv",
    asOf: "2025-01-01T00:00:00Z",
    records: 2,
    rejected: 1,
    badIds: 1,
    unread: { files: 1, names: ["all.zip"] },
  });
  assert.equal(json.leftOut.count, 1);
  assert.match(
    absent.stdout,
    /left out {4}osv: 1 file not read: all\.zip \(it may be about this id\)/,
  );
  const { code, stderr } = await site.query("banana");
  assert.equal(code, 2);
  assert.match(stderr, /Cannot query "banana": not an id \(code 2\)/);
});

Deno.test("--max-age: data older than the limit is reported as stale, and the answer is still printed", async () => {
  using site = new Site();
  const day = new Date(Date.now() - 36 * 3600 * 1000).toISOString().slice(0, 10);
  const text = epss(["CVE-2021-0001,0.9,0.5"]).replace(
    /score_date:\S+/,
    `score_date:${day}T00:00:00Z`,
  );
  assert.equal((await site.export("epss", { "e.csv": text })).code, 0);
  assert.equal((await site.query("CVE-2021-0001", "--max-age", "7d")).code, 0);
  const { code, stdout } = await site.query("CVE-2021-0001", "--max-age", "12h");
  assert.equal(code, 16);
  assert.match(stdout, new RegExp(`epss {8}0\\.9, percentile 0\\.5, of ${day}\n`));
  assert.match(
    stdout,
    new RegExp(`stale: epss is of ${day}T00:00:00Z, older than 12h \\(code 16\\)`),
  );
  const json = JSON.parse((await site.query("CVE-2021-0001", "--max-age", "12h", "--json")).stdout);
  assert.deepEqual([json.ok, json.reason, json.stale], [false, "stale", ["epss"]]);
  const wrong = await site.query("CVE-2021-0001", "--max-age", "soon");
  assert.equal(wrong.code, 2);
});

Deno.test("a question that no provider covers is answered as unknown, not as no", async () => {
  using site = new Site();
  const record = { ...released, aliases: ["CVE-2025-0001"] };
  assert.equal((await site.export("osv", { "a.json": osv("GO-1", record) })).code, 0);
  const { stdout } = await site.query("CVE-2025-0001");
  assert.match(stdout, /exploited {3}unknown: the bundle has no provider of the kind kev\n/);
  assert.match(stdout, /epss {8}unknown: the bundle has no provider of the kind epss\n/);
});

Deno.test("a CVE whose KEV entry was skipped is not reported as unexploited", async () => {
  using site = new Site();
  const bad = kevEntry("CVE-2025-0001", { dueDate: "soon" });
  const entries = [bad, kevEntry("CVE-2025-0002")];
  const root = site.home.path;
  const record = osv("GO-1", { ...released, aliases: ["CVE-2025-0001"] });
  const files = { "k.json": kev(entries), "o/a.json": record };
  const more = `/k.json, onInvalid: skip }, { kind: osv, path: ${root}/data/o`;
  assert.equal((await site.export("kev", files, more)).code, 0);
  const { stdout } = await site.query("CVE-2025-0001");
  assert.match(stdout, /exploited {3}unknown: see what was left out\n/);
  assert.match(stdout, /left out {4}kev k\.json: vulnerabilities\[0\]\.dueDate/);
});

Deno.test("--max-age: data with a date in the future does not count as fresh", async () => {
  using site = new Site();
  const record = { modified: "2098-01-01T00:00:00Z", aliases: ["CVE-2025-0001"] };
  assert.equal((await site.export("osv", { "a.json": osv("GO-1", record) })).code, 0);
  const { code, stdout } = await site.query("CVE-2025-0001", "--max-age", "7d");
  assert.equal(code, 16);
  assert.match(stdout, /stale: osv is of 2098-01-01T00:00:00Z, which is in the future \(code 16\)/);
});

Deno.test("a misspelled CVE among the aliases is reported in answers about that CVE", async () => {
  using site = new Site();
  const aliases = ["CVE_2025_0005", "CVE-2025\u20130006", "CVE-2025-0007."];
  const exported = await site.export("osv", {
    "a.json": osv("GO-1", { ...released, aliases }),
  });
  assert.match(exported.stdout, /left out {2}osv: 3 bad ids/);
  for (const id of ["CVE-2025-0005", "CVE-2025-0006", "CVE-2025-0007"]) {
    const { code, stdout } = await site.query(id);
    assert.equal(code, 16);
    assert.match(stdout, /left out {4}osv a\.json: aliases\[\d\] is not an id/, id);
  }
  assert.equal((await site.query("CVE-2025-44")).code, 2, "no CVE has so few digits");
});

const before = fileURLToPath(new URL("../fixtures/risk/before", import.meta.url));

Deno.test("a risk bundle of version 0.1.0 can be queried", async () => {
  using site = new Site();
  const trusted = ["--manifest", join(before, "bundle"), "--trust", join(before, "signer.pub")];
  const query = (id: string, ...more: string[]) =>
    site.home.stella(["risk", "query", id, ...trusted, ...more]);
  const { code, stdout } = await query("CVE-2026-0001");
  assert.equal(code, 0, stdout);
  assert.match(stdout, /^CVE-2026-0001 {2}GHSA-xxxx-yyyy-zzzz {2}GO-2026-0001\n/);
  assert.match(stdout, /epss {8}0\.9421, percentile 0\.99873\n/);
  assert.match(stdout, /affected {4}Go example\.com\/box introduced 0, fixed 1\.2\.3\n/);
  assert.match(stdout, /vex {9}known affected: Example Box 1\.2 \(EX-2026-0001\)\n/);
  assert.match(stdout, /left out {4}osv broken\.json: is not JSON.*it may be about this id/);
  assert.equal((await query("ghsa-xxxx-yyyy-zzzz")).code, 0);
  assert.equal((await query("EX-2026-0001")).code, 0, "by the document's id");
  const absent = await query("CVE-2099-0001");
  assert.equal(absent.code, 16);
  assert.match(absent.stdout, /asked {7}kev, as of 2026-01-05T15:00:00Z: 2 records/);
  assert.equal((await query("CVE-2026-0001", "--max-age", "1h")).code, 16);
});
