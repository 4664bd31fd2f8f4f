/**
 * A risk profile from its configuration to a verified bundle: originals, join, downloads and
 * faults.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { directorySource } from "../../src/bundle/source.ts";
import type { ProviderConfig } from "../../src/config/profile.ts";
import type { EgressConfig } from "../../src/domain/egress.ts";
import { namedProviders } from "../../src/export/spec.ts";
import { systemTiming } from "../support/timing.ts";
import { verifyBundle } from "../../src/verify/verify.ts";
import { epss, joinedText, kev, kevEntry, osv } from "../support/risk_records.ts";
import { key, refusal, run } from "../support/run_export.ts";
import { requiring } from "../support/needs.ts";

const open: EgressConfig = { sealed: false, allow: [] };

class Site {
  readonly path = Deno.makeTempDirSync({ prefix: "stella-risk-export-" });
  readonly requests: string[] = [];
  readonly served = new Map<string, string | number>();
  readonly #server = http.createServer((request, response) => {
    this.requests.push(request.url ?? "");
    const body = this.served.get(request.url ?? "") ?? 404;
    if (typeof body === "number") response.writeHead(body, { location: "/kev.json" }).end();
    else response.end(body);
  });

  write(name: string, text: string): string {
    const path = join(this.path, name);
    Deno.mkdirSync(join(path, ".."), { recursive: true });
    Deno.writeTextFileSync(path, text);
    Deno.utimeSync(path, 1_750_000_000, 1_750_000_000);
    return path;
  }

  async serve(name: string, body: string | number): Promise<string> {
    this.served.set(name, body);
    if (!this.#server.listening) {
      await new Promise<void>((done) => this.#server.listen(0, "127.0.0.1", done));
    }
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}${name}`;
  }

  /** Exports into `out`; `created` is what this is about. */
  export(providers: ProviderConfig[], out = "out", egress = open, yieldToEventLoop = noTurn) {
    const timing = { ...systemTiming, sleep: () => Promise.resolve() };
    const changes = {
      providers: namedProviders(providers),
      egress,
      timing,
      yieldToEventLoop,
      created: "newest",
    } as const;
    return run(join(this.path, out), [], changes);
  }

  [Symbol.dispose](): void {
    this.#server.closeAllConnections();
    this.#server.close();
    Deno.removeSync(this.path, { recursive: true });
  }
}

const noTurn = () => Promise.resolve();

/** The payload's text files, by path; fails where the bundle does not verify. */
async function payloadOf(directory: string): Promise<Record<string, string>> {
  const files: Record<string, string> = {};
  const verdict = await verifyBundle(directorySource(directory), {
    trusted: [key.trusted],
    onFile: ({ path }) => {
      files[path] = "";
      return (piece) => files[path] += new TextDecoder().decode(piece);
    },
  });
  assert.deepEqual(verdict.findings, []);
  assert.ok(verdict.ok);
  return files;
}

const kevText = kev([kevEntry("CVE-2021-0001")]);
const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");

Deno.test("a risk bundle has originals and joined data, verifies and is reproducible", async () => {
  using site = new Site();
  const providers: ProviderConfig[] = [
    { kind: "kev", path: site.write("in/kev.json", kevText), onInvalid: "fail" },
    { kind: "osv", path: join(site.path, "osv"), onInvalid: "fail" },
    { kind: "osv", path: site.write("more/GO-9.json", osv("GO-9")), onInvalid: "fail" },
  ];
  site.write("osv/a/GO-1.json", osv("GO-1", { aliases: ["CVE-2021-0001"] }));
  site.write("osv/notes.txt", "carried");
  const first = await site.export(providers);
  assert.equal(first.created, "2025-06-15T15:06:40Z", "the newest original's time");
  const files = await payloadOf(join(site.path, "out"));
  assert.deepEqual(Object.keys(files), [
    "joined/2021-0xxx.ndjson",
    "joined/other.ndjson",
    "originals/kev/kev.json",
    "originals/osv-2/GO-9.json",
    "originals/osv/a/GO-1.json",
    "originals/osv/notes.txt",
    "providers.json",
  ]);
  assert.equal(files["originals/kev/kev.json"], kevText);
  const second = await site.export(providers, "again");
  assert.equal(second.bundleDigest, first.bundleDigest);
  assert.ok(!existsSync(join(site.path, "out/prepared")));
  assert.deepEqual(readdirSync(join(site.path, "out")).filter((name) => name.startsWith(".")), []);
});

Deno.test("invalid records fail the export with their locations and leave no files", async () => {
  using site = new Site();
  const path = site.write("kev.json", kev([kevEntry("x"), kevEntry("CVE-2021-0001")]));
  const { code, findings } = await refusal(() =>
    site.export([{ kind: "kev", path, onInvalid: "fail" }])
  );
  assert.deepEqual([code, findings], [2, [
    "record_invalid kev/kev.json: vulnerabilities[0].cveID is not a CVE id",
  ]]);
  assert.deepEqual(readdirSync(join(site.path, "out")), []);
});

Deno.test("an original that changes between join and pack is not in the bundle", async () => {
  using site = new Site();
  const path = site.write("kev.json", kevText);
  let turns = 0;
  // Same size and time: only the content differs.
  const exchange = () => {
    if (++turns === 1) site.write("kev.json", kevText.replace("Product", "PRODUCT"));
    return Promise.resolve();
  };
  // Two megabytes of rows make the join yield after the catalog was read.
  const rows = Array.from({ length: 60_000 }, (_, i) => `CVE-2001-${1000 + i},0.1,0.2`);
  const more = site.write("epss.csv", epss(rows));
  const { code, message } = await refusal(() =>
    site.export(
      [{ kind: "kev", path, onInvalid: "fail" }, { kind: "epss", path: more, onInvalid: "fail" }],
      "out",
      open,
      exchange,
    )
  );
  assert.ok(turns >= 1, "the exchange happened");
  assert.equal(code, 14);
  assert.match(message, /those of originals\/kev are not what was checked/);
  assert.deepEqual(readdirSync(join(site.path, "out")), []);
});

Deno.test("a pinned file is downloaded, and its own date is used as its time", async () => {
  using site = new Site();
  const url = await site.serve("/feeds/kev.json?token=SECRET", kevText);
  const provider: ProviderConfig = { kind: "kev", url, sha256: sha256(kevText), onInvalid: "fail" };
  const report = await site.export([provider]);
  assert.equal(report.created, "2025-08-25T17:04:19Z");
  const files = await payloadOf(join(site.path, "out"));
  assert.equal(files["originals/kev/kev.json"], kevText);
  const [printed] = JSON.parse(files["providers.json"]!).providers;
  assert.match(printed.url, /^http:\/\/127\.0\.0\.1:\d+\/feeds\/kev\.json$/);
  assert.ok(!Object.values(files).join("").includes("SECRET"));
  assert.equal((await site.export([provider], "again")).bundleDigest, report.bundleDigest);
});

Deno.test("wrong content, a redirect and a missing file of a download fail the export and leave no files", async () => {
  using site = new Site();
  const cases: [string, string | number, number, RegExp][] = [
    ["/renewed.json", kevText + " ", 7, /its digest differs from the pinned one/],
    ["/moved.json", 302, 13, /moved\.json: 302/],
    ["/gone.json", 404, 13, /gone\.json: 404/],
  ];
  for (const [name, body, code, message] of cases) {
    const url = await site.serve(name, body);
    const refused = await refusal(() =>
      site.export([{ kind: "kev", url, sha256: sha256(kevText), onInvalid: "fail" }])
    );
    assert.equal(refused.code, code, name);
    assert.match(refused.message, message);
    assert.deepEqual(readdirSync(join(site.path, "out")), [], name);
  }
  assert.deepEqual(site.requests, ["/renewed.json", "/moved.json", "/gone.json"]);
});

Deno.test("a sealed site requests only what the egress policy allows", async () => {
  using site = new Site();
  const url = await site.serve("/kev.json", kevText);
  const provider: ProviderConfig = { kind: "kev", url, sha256: sha256(kevText), onInvalid: "fail" };
  const refused = await refusal(() => site.export([provider], "out", { sealed: true, allow: [] }));
  assert.deepEqual([refused.code, refused.findings[0]?.split(" ")[0]], [15, "egress_refused"]);
  assert.deepEqual(site.requests, [], "nothing left the machine");
  const { host } = new URL(url);
  await site.export([provider], "out", { sealed: true, allow: [host] });
  assert.deepEqual(site.requests, ["/kev.json"]);
});

Deno.test("names that are not valid payload paths are percent-encoded, and providers.json has the originals", async () => {
  using site = new Site();
  const names = ["ALSA-2025:1", "50%", "a%3A", "con", "q?", "e\u0301"];
  names.forEach((name, i) => site.write(`osv/${name}.json`, osv(`GO-${i + 1}`)));
  site.write("osv/d:1/x.json", osv("GO-9"));
  const report = await site.export([{
    kind: "osv",
    path: join(site.path, "osv"),
    onInvalid: "fail",
  }]);
  const files = await payloadOf(join(site.path, "out"));
  assert.deepEqual(Object.keys(files).filter((path) => path.startsWith("originals/")), [
    "originals/osv/%63on.json",
    "originals/osv/50%25.json",
    "originals/osv/ALSA-2025%3A1.json",
    "originals/osv/a%253A.json",
    "originals/osv/d%3A1/x.json",
    "originals/osv/e%CC%81.json",
    "originals/osv/q%3F.json",
  ]);
  const [printed] = JSON.parse(files["providers.json"]!).providers;
  for (const [carried, name] of Object.entries(printed.names)) {
    assert.equal(decodeURIComponent(carried), name, "what is encoded can be decoded");
    assert.ok(existsSync(join(site.path, "osv", String(name))), "the true name");
    assert.ok(`originals/osv/${carried}` in files);
  }
  assert.equal(Object.keys(printed.names).length, 7);
  assert.deepEqual(report.risk?.map(({ name, records, rejected }) => [name, records, rejected]), [
    ["osv", 7, 0],
  ]);
  const again = await site.export(
    [{ kind: "osv", path: site.write("one/a:b.json", osv("GO-1")), onInvalid: "fail" }],
    "again",
  );
  assert.equal(again.payload.files, 3);
});

const data = fileURLToPath(new URL("../../../shared/data", import.meta.url));

Deno.test(requiring(
  { others: { "the real data": existsSync(data) } },
  "real data: KEV 2025.08.25 and 4,291 Go advisories make the same bundle twice",
  async () => {
    using site = new Site();
    const providers: ProviderConfig[] = [
      {
        kind: "kev",
        path: join(data, "kev/known_exploited_vulnerabilities.json"),
        licence: "CC0-1.0",
        onInvalid: "fail",
      },
      { kind: "osv", path: join(data, "osv-go"), licence: "CC-BY-4.0", onInvalid: "fail" },
      { kind: "csaf", path: join(data, "csaf-vex"), onInvalid: "fail" },
    ];
    const report = await site.export(providers);
    const files = await payloadOf(join(site.path, "out"));
    const printed = JSON.parse(files["providers.json"]!);
    const counts = printed.providers.map((one: Record<string, unknown>) => [
      one["name"],
      one["records"],
      one["rejected"],
    ]);
    assert.deepEqual(counts, [["kev", 1404, 0], ["osv", 4291, 0], ["csaf", 59, 0]]);
    const lines = joinedText(files).trim().split("\n").map((line) => JSON.parse(line));
    assert.deepEqual([lines.length, printed.joined.ids, printed.joined.joined], [5757, 5757, 8]);
    assert.equal(lines.filter(({ id }) => !id.startsWith("CVE-")).length, 411);
    assert.equal(lines.filter(({ kev }) => kev !== null).length, 1404);
    assert.equal((await site.export(providers, "again")).bundleDigest, report.bundleDigest);
  },
));
