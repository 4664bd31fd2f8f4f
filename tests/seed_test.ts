/**
 * What the user asked, line by line: one test per line of the list in the README ("What was asked, and where it lies"), against the
 * program. Lines that are not built yet stand in `pending`, which has to become empty.
 */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { testWith, tool } from "./needs.ts";
import { binary, freePort, Home, programWords, root, Service } from "./program.ts";

const pending = new Set<number>();

type Body = (home: Home) => Promise<void> | void;

function line(number: number, asked: string, body: Body = () => {}): void {
  Deno.test({
    name: `seed ${number}: ${asked}`,
    ignore: pending.has(number),
    fn: async () => {
      const home = new Home();
      try {
        await body(home);
      } finally {
        home.remove();
      }
    },
  });
}

/** The part of a line that needs tools of the system. */
function lineWith(tools: string[], number: number, asked: string, body: Body): void {
  testWith(tools, `seed ${number}: ${asked}`, async () => {
    const home = new Home();
    try {
      await body(home);
    } finally {
      home.remove();
    }
  });
}

/** As `line`, with a service that runs. */
function serviceLine(
  number: number,
  asked: string,
  body: (service: Service, home: Home) => Promise<void>,
): void {
  line(number, asked, async (home) => {
    const service = await home.serve();
    try {
      await body(service, home);
    } finally {
      await service.stop();
    }
  });
}

function text(path: string): string {
  return readFileSync(join(root, path), "utf8");
}

const dashboard = "dashboards/export-center-observability.json";
const kit = ["export", "bundle", "--profile", "kit", "--manifest", "out/manifest.json"];

// The design card

line(1, "kind: Deno/edge-style single-binary tool", async (home) => {
  const version = await home.json(["version"]);
  assert.match(version.version, /^\d+\.\d+\.\d+$/);
  assert.ok(
    binary === undefined
      ? version.form === "source"
      : ["compiled", "portable"].includes(version.form),
  );
  const { tasks } = JSON.parse(text("deno.json"));
  assert.ok(tasks.build && tasks["build:portable"]);
});

line(2, "packages: hono, @std/crypto (JSR), @std/tar (JSR), prom-client (npm), zod", () => {
  const { imports } = JSON.parse(text("deno.json"));
  const card = {
    "hono": "npm:hono@",
    "@std/crypto": "jsr:@std/crypto@",
    "@std/tar": "jsr:@std/tar@",
    "prom-client": "npm:prom-client@",
    "zod": "npm:zod@",
  };
  for (const [name, source] of Object.entries(card)) {
    assert.ok(imports[name].startsWith(source), name);
  }
});

line(3, "top-level: deno.json, main.ts, src, tests, dashboards, README.md", () => {
  const listed = [
    "LICENSE",
    "README.md",
    "dashboards",
    "deno.json",
    "deno.lock",
    "main.ts",
    "src",
    "tests",
  ];
  const made = new Set(["dist", "out", "node_modules"]);
  const found = readdirSync(root).filter((name) => !name.startsWith(".") && !made.has(name)).sort();
  assert.deepEqual(found, listed);
});

serviceLine(4, "shape: serves health, status and metrics through Hono", async (service) => {
  assert.equal((await service.get("/health/liveness")).status, "pass");
  assert.equal((await service.get("/status")).version, JSON.parse(text("deno.json")).version);
  assert.match(await service.get("/metrics"), /^export_queue_depth 0$/m);
  assert.match(text("src/http/server.ts"), /from "hono"/);
});

line(5, "shape: it includes export and verify subcommands", async (home) => {
  await home.succeed(kit);
  await home.succeed(["verify", "out"]);
  const help = await home.succeed(["--help"]);
  assert.match(help.stdout, /^ {2}export\b/m);
  assert.match(help.stdout, /^ {2}verify\b/m);
});

line(6, "shape: one artifact ships cleanly into offline bundles", async (home) => {
  const ran = await home.json([...kit, "--include-self"]);
  if (binary === undefined) {
    assert.equal(ran.exit, 2);
    assert.match(ran.error.hint, /build:portable/);
  } else {
    assert.equal(ran.exit, 0);
    const carried = new Deno.Command(join(home.path, "out/stella"), {
      args: ["verify", "out"],
      cwd: home.path,
      env: home.environment(),
      clearEnv: true,
    });
    assert.equal((await carried.output()).code, 0);
  }
});

line(7, "used-by: copy-one-binary installs", () => {
  assert.match(text("README.md"), /^### Copy one binary$/m);
});

line(8, "used-by: systemd service", async (home) => {
  await home.succeed(["assets", "write", "--only", "systemd", "units"]);
  assert.deepEqual(readdirSync(join(home.path, "units")).sort(), [
    "stella-verify@.service",
    "stella.service",
  ]);
});

lineWith(["systemd-analyze"], 8, "used-by: systemd service, as systemd judges it", async (home) => {
  await home.succeed(["assets", "write", "--only", "systemd", "units"]);
  for (const [unit, limit] of [["stella.service", 1.0], ["stella-verify@.service", 0.3]] as const) {
    const scored = new Deno.Command("systemd-analyze", {
      args: [
        "security",
        "--offline=true",
        `--threshold=${limit * 10}`,
        join(home.path, "units", unit),
      ],
    });
    const { code, stdout } = await scored.output();
    assert.equal(code, 0, new TextDecoder().decode(stdout).split("\n").slice(-2).join(" "));
  }
});

line(9, "used-by: ad-hoc verify from USB media", async (home) => {
  await home.succeed(kit);
  const stick = join(home.path, "stick");
  Deno.mkdirSync(stick);
  Deno.renameSync(join(home.path, "out"), join(stick, "bundle"));
  Deno.copyFileSync(join(home.state, "keys/signing.pub"), join(home.path, "signer.pub"));
  for (const path of ["stick/bundle", "stick"]) Deno.chmodSync(join(home.path, path), 0o555);
  const elsewhere = new Home();
  const ran = await elsewhere.json(["verify", stick, "--trust", join(home.path, "signer.pub")]);
  const stranger = await elsewhere.json(["verify", stick]);
  elsewhere.remove();
  for (const path of ["stick", "stick/bundle"]) Deno.chmodSync(join(home.path, path), 0o755);
  assert.deepEqual([ran.exit, ran.verdict], [0, "verified"]);
  assert.deepEqual([stranger.exit, stranger.findings[0].reason], [5, "key_unknown"]);
});

// The runbook: dashboards

line(
  10,
  "Grafana JSON export-center-observability.json, no external data sources assumed",
  async (home) => {
    await home.succeed(["assets", "write", "kit"]);
    const written = readFileSync(join(home.path, "kit", dashboard), "utf8");
    assert.equal(written, text(dashboard));
    const { __inputs, __requires, templating } = JSON.parse(written);
    assert.deepEqual([__inputs, __requires], [undefined, undefined]);
    assert.doesNotMatch(written, /https?:\/\//);
    assert.ok(templating.list.some((variable: { type: string }) => variable.type === "datasource"));
  },
);

const panels: [number, string, RegExp][] = [
  [11, "export job duration p95/p99", /export_job_duration_seconds_bucket/],
  [12, "bundle size histogram", /export_bundle_size_bytes_bucket/],
  [13, "registry push latency", /export_registry_push_latency_seconds_bucket/],
  [14, "provenance/attestation verification failures", /export_attestation_failures_total/],
  [15, "queue depth", /export_queue_depth/],
  [16, "error rate per profile", /export_jobs_total\{[^}]*result="failed"/],
];
for (const [i, [number, title, expression]] of panels.entries()) {
  line(number, `panel: ${title}`, () => {
    const { panels } = JSON.parse(text(dashboard));
    const first = panels.filter((panel: { type: string }) => panel.type !== "row")[i];
    assert.equal(first.title.toLowerCase(), title);
    assert.match(
      first.targets.map((target: { expr: string }) => target.expr).join("\n"),
      expression,
    );
  });
}

// The runbook: key metrics, read from a service that has exported

const metrics: [number, string, RegExp][] = [
  [
    17,
    "export_job_duration_seconds_bucket{profile}",
    /^export_job_duration_seconds_bucket\{(?=[^}]*profile="kit")(?=[^}]*le="\+Inf")[^}]*\} 1$/m,
  ],
  [
    18,
    "export_bundle_size_bytes_bucket{profile}",
    /^export_bundle_size_bytes_bucket\{(?=[^}]*profile="kit")(?=[^}]*le="\+Inf")[^}]*\} 1$/m,
  ],
  [
    19,
    "export_registry_push_latency_seconds_bucket{profile}",
    /^export_registry_push_latency_seconds_bucket\{(?=[^}]*profile="kit")(?=[^}]*le="\+Inf")[^}]*\} 0$/m,
  ],
  [
    20,
    "export_attestation_failures_total{reason}",
    /^export_attestation_failures_total\{reason="signature_invalid"\} 0$/m,
  ],
  [21, "export_queue_depth", /^export_queue_depth 0$/m],
  [
    22,
    "export_manifest_publish_total{result}",
    /^export_manifest_publish_total\{result="success"\} 1$/m,
  ],
];
for (const [number, name, sample] of metrics) {
  serviceLine(number, name, async (service) => {
    const job = await service.export({ profile: "kit" });
    assert.equal(job.state, "succeeded", JSON.stringify(job));
    assert.match(await service.get("/metrics"), sample);
  });
}

// The runbook: logs and traces

serviceLine(
  23,
  "logs correlate by exportId, profile, tenant; with bundleDigest, attestationStatus, registry",
  async (service) => {
    const job = await service.export({ profile: "kit" });
    await service.stop();
    const lines = service.log.trim().split("\n").map((one) => JSON.parse(one));
    const ours = lines.filter((one) => one.exportId === job.id);
    assert.ok(ours.length >= 2, service.log);
    for (const one of ours) assert.deepEqual([one.profile, one.tenant], ["kit", "default"]);
    const done = ours.at(-1);
    assert.equal(done.bundleDigest, job.bundleDigest);
    assert.ok("attestationStatus" in done);
  },
);

line(
  24,
  "traces disabled by default; OTLP to an on-prem collector when permitted",
  async (home) => {
    const received: string[] = [];
    const collector = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen: () => {} },
      async (r) => {
        received.push(`${r.method} ${new URL(r.url).pathname} ${await r.text()}`);
        return Response.json({});
      },
    );
    const traced = async () => {
      const service = await home.serve();
      await service.export({ profile: "kit" });
      const { features } = await service.get("/status");
      await service.stop();
      return features.traces;
    };
    try {
      assert.equal(await traced(), false);
      assert.deepEqual(received, []);
      const endpoint = `http://127.0.0.1:${collector.addr.port}`;
      const config = `version: 1\ntraces: { endpoint: "${endpoint}" }\n`;
      Deno.writeTextFileSync(join(home.state, "stella.yaml"), config);
      assert.equal(await traced(), true);
      assert.match(received.join("\n"), /^POST \/v1\/traces .*"name":"export"/m);
    } finally {
      await collector.shutdown();
    }
  },
);

// The runbook: health and diagnostics

serviceLine(
  25,
  "/health/liveness and /health/readiness check storage, registry and the attestation path",
  async (service) => {
    const { status, checks } = await service.get("/health/readiness");
    assert.equal(status, "pass");
    const names = Object.keys(checks).join(" ");
    for (const part of ["storage", "registry", "attestation"]) {
      assert.match(
        names,
        new RegExp(part),
      );
    }
    assert.equal((await service.get("/health/liveness")).status, "pass");
  },
);

serviceLine(
  26,
  "/status exposes build version, commit, feature flags; verified against the bundle manifest",
  async (service, home) => {
    const status = await service.get("/status");
    assert.deepEqual(
      Object.keys(status).filter((key) => ["version", "commit", "features"].includes(key)),
      ["version", "commit", "features"],
    );
    await home.succeed(kit);
    const compared = await home.stella([
      "status",
      "--url",
      service.url,
      "--manifest",
      "out/manifest.json",
    ]);
    assert.equal(compared.code, 0, compared.stdout + compared.stderr);
  },
);

line(
  27,
  "verification probe: stella export bundle verify --manifest <path>; validates hashes against the manifest",
  async (home) => {
    await home.succeed(kit);
    const verify = ["export", "bundle", "verify", "--manifest", "out/manifest.json"];
    await home.succeed(verify);
    const path = join(home.path, "out/kit.tar.zst");
    const bytes = readFileSync(path);
    bytes[100]! ^= 1;
    Deno.writeFileSync(path, bytes);
    const ran = await home.json(verify);
    assert.deepEqual([ran.exit, ran.findings[0].reason, ran.findings[0].path], [
      7,
      "digest_mismatch",
      "kit.tar.zst",
    ]);
  },
);

// The runbook: alert hints

const alerts: [number, string, string][] = [
  [28, "export job duration p99 > target SLA per profile", "ExportJobDurationP99AboveSLA"],
  [29, "attestation verification failures > 0 over 10m", "ExportAttestationVerificationFailures"],
  [30, "registry push latency spikes or error rate > threshold", "ExportRegistryPushLatencySpike"],
  [31, "queue depth growth without completion", "ExportQueueGrowingWithoutCompletion"],
];
for (const [number, asked, alert] of alerts) {
  line(number, asked, () => {
    assert.match(text("dashboards/export-center.rules.yml"), new RegExp(`alert: ${alert}\\n`));
    const cases = text("dashboards/export-center.rules.test.yml");
    assert.ok(
      cases.split(`alertname: ${alert}\n`).length > 2,
      "fires in one case and stays silent in another",
    );
    assert.match(text("dashboards/observability.md"), new RegExp(`^#+ ${alert}$`, "m"));
  });
}

// The runbook: offline verification steps

line(
  32,
  "import the Grafana JSON locally; point it to the Prometheus scrape labeled export-center",
  () => {
    assert.match(text("dashboards/prometheus.yml"), /job_name: ["']?export-center/);
    const { templating } = JSON.parse(text(dashboard));
    const job = templating.list.find((variable: { name: string }) => variable.name === "job");
    assert.match(JSON.stringify(job), /export-center|label_values/);
  },
);

line(
  33,
  "run stella export bundle --profile <profile> --manifest out/manifest.json and verify hashes via jq -r '.files[].sha256'",
  async (home) => {
    await home.succeed(kit);
    const out = join(home.path, "out");
    const { files } = JSON.parse(readFileSync(join(out, "manifest.json"), "utf8"));
    assert.ok(files.every((file: { path: string }) => existsSync(join(out, file.path))));
  },
);

lineWith(
  ["jq", "sha256sum"],
  33,
  "verify hashes via jq -r '.files[].sha256'",
  async (home) => {
    await home.succeed(kit);
    const out = join(home.path, "out");
    const { files } = JSON.parse(readFileSync(join(out, "manifest.json"), "utf8"));
    const check =
      `jq -r '.files[] | "\\(.sha256)  \\(.path)"' manifest.json | sha256sum -c --strict`;
    const { code, stdout } = await new Deno.Command("sh", { args: ["-c", check], cwd: out })
      .output();
    assert.equal(code, 0);
    assert.equal(new TextDecoder().decode(stdout).match(/: OK$/gm)?.length, files.length);
  },
);

serviceLine(
  34,
  "fetch /status and compare commit/version to the offline bundle manifest",
  async (service, home) => {
    await home.succeed(kit);
    const { tool } = JSON.parse(readFileSync(join(home.path, "out/manifest.json"), "utf8"));
    const { version, commit } = await service.get("/status");
    assert.deepEqual({ version, commit }, { version: tool.version, commit: tool.commit });
    const path = join(home.path, "out/manifest.json");
    Deno.writeTextFileSync(
      path,
      readFileSync(path, "utf8").replace(`"version":"${version}"`, `"version":"9.9.9"`),
    );
    const ran = await home.stella(["status", "--url", service.url, "--manifest", path]);
    assert.notEqual(ran.code, 0);
  },
);

line(
  35,
  "evidence locations: the README's table says where each lies; the runbook has its headings",
  () => {
    const readme = text("README.md");
    for (let n = 1; n <= 45; n++) assert.match(readme, new RegExp(`^\\| ${n} +\\|`, "m"));
    const runbook = text("dashboards/observability.md");
    for (
      const heading of [
        "Dashboards",
        "Key metrics",
        "Logs and traces",
        "Health and diagnostics",
        "Alert hints",
        "Offline verification steps",
        "Evidence locations",
      ]
    ) {
      assert.match(runbook, new RegExp(`^## ${heading}`, "mi"));
    }
  },
);

// The commit

const fixtures = join(root, "tests/fixtures");

/** A configuration with the profile `risk` over the fixtures, and whatever else. */
function riskConfig(home: Home, more = ""): string[] {
  const provider = (kind: string, path: string) =>
    `      - { kind: ${kind}, path: ${join(fixtures, "risk", path)}, licence: CC0-1.0 }`;
  const path = join(home.path, "stella.yaml");
  const profile = ["profiles:", "  risk:", "    kind: risk", "    providers:"];
  const kinds = [["kev", "kev.json"], ["osv", "osv"], ["epss", "epss.csv"], ["csaf", "csaf"]];
  const lines = [
    "version: 1",
    ...profile,
    ...kinds.map(([kind, at]) => provider(kind!, at!)),
    more,
  ];
  Deno.writeTextFileSync(path, lines.join("\n"));
  return ["--config", path];
}

const riskExport = ["export", "bundle", "--profile", "risk", "--manifest", "out/manifest.json"];

line(
  36,
  "risk bundles: a builder with metadata and providers; a job that builds and stores them; models",
  async (home) => {
    const config = riskConfig(home);
    const made = await home.json([...riskExport, ...config]);
    assert.equal(made.exit, 0, JSON.stringify(made));
    const query = await home.json(["risk", "query", "GHSA-xxxx-yyyy-zzzz", "--manifest", "out"]);
    const [{ id, kev, epss, affected, vex }] = query.answers;
    assert.deepEqual([id, kev.ransomware, epss.score], ["CVE-2026-0001", true, 0.9421]);
    assert.deepEqual([affected[0].name, vex[0].status.known_affected], [
      "example.com/box",
      ["Example Box 1.2"],
    ]);
    const service = await home.serve(config);
    const job = await service.export({ profile: "risk" });
    await service.stop();
    assert.deepEqual([job.state, job.bundleDigest], ["succeeded", made.bundle.bundleDigest]);
  },
);

line(37, "a file-system object store for risk bundle artifacts", async (home) => {
  const service = await home.serve(riskConfig(home));
  const job = await service.export({ profile: "risk" });
  await service.stop();
  const { bundles } = await home.json(["export", "bundle", "list"]);
  assert.deepEqual(bundles.map((one: { exportId: string }) => one.exportId), [job.id]);
  const { directory } = bundles[0];
  assert.equal(directory, join(home.state, "store/default/risk", job.id));
  assert.deepEqual(readdirSync(join(home.state, "tmp")), []);
  await home.succeed(["verify", directory]);
});

line(38, "an HMAC signer for risk bundle manifests", async (home) => {
  await home.succeed(["keys", "generate", "--algorithm", "hmac", "--out", "keys/shared.key"]);
  await home.succeed(["keys", "generate", "--algorithm", "hmac", "--out", "keys/other.key"]);
  const secret = ["--secret", "keys/shared.key"];
  await home.succeed([...riskExport, ...riskConfig(home), ...secret]);
  // A stranger's machine: it has neither the key nor its trust, only the shared file.
  const far = new Home();
  const verify = (more: string[]) =>
    far.json(["verify", join(home.path, "out"), ...more], { cwd: home.path });
  const sealed = await verify(secret);
  assert.deepEqual([sealed.exit, sealed.signer?.name], [0, "shared"]);
  assert.match(sealed.signer.keyid, /^hmac-sha256:/);
  assert.equal((await verify([])).exit, 5, "the seal is nobody's public key");
  assert.equal((await verify(["--trust", "keys/shared.key"])).exit, 2);
  assert.equal((await verify(["--secret", join(home.state, "keys/signing.pub")])).exit, 2);
  assert.equal((await verify(["--secret", "keys/other.key"])).exit, 5);
  const path = join(home.path, "out/manifest.json");
  Deno.writeTextFileSync(path, readFileSync(path, "utf8").replace('"risk"', '"kisr"'));
  assert.deepEqual((await verify(secret)).findings.map((one: { code: number }) => one.code), [
    4,
    4,
  ]);
  far.remove();
});

line(39, "unit tests of builder, job and signing", () => {
  const suites = [
    "tests/risk/join_test.ts",
    "tests/risk/bad_records_test.ts",
    "tests/export/risk_test.ts",
    "tests/attest/hmac_test.ts",
  ];
  for (const suite of suites) assert.ok(text(suite).split("Deno.test(").length > 5, suite);
});

line(
  40,
  "a file-system artifact reader: manifest parsing and artifact listing, tested",
  async (home) => {
    await home.succeed([...riskExport, ...riskConfig(home)]);
    const list = ["export", "bundle", "list", "--manifest", "out"];
    const listed = await home.json(list);
    const kinds = listed.entries.map((one: { path: string; kind: string }) =>
      `${one.path} ${one.kind}`
    );
    assert.deepEqual(kinds, [
      "joined.ndjson other",
      "originals/csaf/ex-2026-0001.json vex",
      "originals/epss/epss.csv epss",
      "originals/kev/kev.json kev",
      "originals/osv/GO-2026-0001.json osv",
      "originals/osv/GO-2026-0002.json osv",
      "providers.json other",
    ]);
    const index = readFileSync(join(home.path, "out/SHA256SUMS"), "utf8").trim().split("\n");
    assert.deepEqual(
      listed.entries.map((one: { path: string; sha256: string }) => `${one.sha256}  ${one.path}`),
      index,
    );
    const shown = await home.json(["export", "bundle", "show", "--manifest", "out"]);
    assert.equal(shown.artifacts.osv.files, 2);
    const archive = join(home.path, "out/risk.tar.zst");
    Deno.truncateSync(archive, Deno.statSync(archive).size - 1);
    const bad = await home.json(list);
    assert.deepEqual([bad.exit, bad.findings[0].reason], [10, "truncated"]);
    Deno.writeTextFileSync(join(home.path, "out/manifest.json"), "{}");
    const worse = await home.json(list);
    assert.ok([3, 4].includes(worse.exit), JSON.stringify(worse));
  },
);

line(
  41,
  "egress scenarios: test manifests of allowed and denied egress (a sealed site)",
  async (home) => {
    assert.ok(readdirSync(join(fixtures, "egress")).length >= 8);
    const sealed = [
      "  fetched:",
      "    kind: risk",
      `    providers: [{ kind: kev, url: 'http://127.0.0.1:9/k.json', sha256: ${"a".repeat(64)} }]`,
      "registries: { site: { url: 'http://127.0.0.1:9' } }",
      "egress: { sealed: true, allow: ['registry.site:5000'] }",
    ];
    const config = riskConfig(home, sealed.join("\n"));
    const checked = await home.json(["config", "check", ...config]);
    assert.deepEqual([checked.exit, checked.egress.reach], [2, [
      { of: "registry site", destination: "127.0.0.1:9", allowed: false },
      { of: "profile fetched", destination: "127.0.0.1:9", allowed: false },
    ]]);
    const allowed = ["--destination", "registry.site:5000"];
    assert.equal((await home.stella(["config", "check", ...config, ...allowed])).code, 0);
    const service = await home.serve(config);
    const job = await service.export({ profile: "fetched" });
    const { egress, features } = await service.get("/status");
    const metrics = await service.get("/metrics");
    await service.stop();
    assert.equal(job.state, "failed");
    assert.match(job.error.message, /Cannot connect to 127\.0\.0\.1:9: this site is sealed/);
    assert.ok(features.sealed && egress.sealed && egress.refused >= 2, JSON.stringify(egress));
    assert.match(metrics, /^export_egress_refused_total [1-9]/m);
    const lines = service.log.trim().split("\n").map((one) => JSON.parse(one));
    assert.ok(lines.some((one) => one.event === "egress.refused" && one.exportId === job.id));
    await home.succeed([...riskExport, ...config]);
    const push = ["export", "bundle", "push", "--manifest", "out", "oci://127.0.0.1:9/r:t"];
    const pushed = await home.json([...push, ...config]);
    assert.deepEqual([pushed.exit, pushed.findings[0].reason], [15, "egress_refused"]);
  },
);

line(42, "a timeline query service: tenant and event id handling, tested", async (home) => {
  const service = await home.serve(riskConfig(home, "tenants: [default, lab]"));
  const job = await service.export({ profile: "risk" });
  const timeline = `/v1/timeline?exportId=${job.id}`;
  const { items, next } = await service.get(timeline);
  const stages = items.map((one: { stage: string }) => one.stage);
  assert.deepEqual([stages[0], stages[1], stages.at(-1), next], [
    "queued",
    "started",
    "succeeded",
    null,
  ]);
  for (const stage of ["plan", "read", "sign", "verified", "published"]) {
    assert.ok(stages.includes(stage), `${stage} of ${stages}`);
  }
  assert.deepEqual(await service.get(`/v1/timeline/${items[0].id}`), items[0]);
  const foreign = await fetch(`${service.url}/v1/timeline/${items[0].id}?tenant=lab`);
  const missing = await fetch(
    `${service.url}/v1/timeline/019b76da-a800-7000-8000-000000000000?tenant=lab`,
  );
  assert.deepEqual([foreign.status, await foreign.text()], [404, await missing.text()]);
  assert.deepEqual((await service.get(`${timeline}&tenant=lab`)).items, []);
  assert.equal((await service.get("/v1/timeline/7")).status, 400);
  const told = await home.json(["timeline", "--url", service.url, "--export", job.id]);
  assert.deepEqual(told.items, items);
  await service.stop();
});

line(
  43,
  "OTLP span sink for traces, with a collector configuration and a script that runs it",
  async (home) => {
    const port = freePort();
    const [command, ...words] = programWords();
    const sink = new Service(
      new Deno.Command(command, {
        args: [...words, "spans", "--listen", `127.0.0.1:${port}`, "--out", "spans.ndjson"],
        cwd: home.path,
        env: home.environment(),
        clearEnv: true,
        stdin: "null",
        stdout: "null",
        stderr: "piped",
      }).spawn(),
      `http://127.0.0.1:${port}`,
    );
    await sink.answers();
    const span = { traceId: "a".repeat(32), spanId: "b".repeat(16), name: "export" };
    const sent = { resourceSpans: [{ scopeSpans: [{ spans: [span] }] }] };
    const headers = { "content-type": "application/json" };
    const body = JSON.stringify(sent);
    const answer = await fetch(`${sink.url}/v1/traces`, { method: "POST", headers, body });
    assert.deepEqual([answer.status, await answer.json()], [200, {}]);
    assert.equal(await sink.stop(), 0);
    const kept = readFileSync(join(home.path, "spans.ndjson"), "utf8");
    assert.deepEqual(JSON.parse(kept), sent);
    assert.match(text("dashboards/otel-collector.yaml"), /^receivers:\n {2}otlp:/m);
    const { tasks } = JSON.parse(text("deno.json"));
    assert.match(tasks.collector, /tests\/e2e\/collector\.ts/);
  },
);
line(44, "a second dashboard JSON for traces and observations (VEX)", async (home) => {
  await home.succeed(["assets", "write", "kit"]);
  const written = readFileSync(join(home.path, "kit/dashboards/export-center-traces.json"), "utf8");
  assert.equal(written, text("dashboards/export-center-traces.json"));
  const { panels, templating } = JSON.parse(written);
  const shown = panels.map((panel: { title: string }) => panel.title).join("\n");
  assert.match(shown, /VEX and advisories per bundle[^]*Slowest stages/);
  assert.ok(
    templating.list.some((one: { type: string; query: string }) =>
      one.type === "datasource" && one.query === "tempo"
    ),
  );
});
line(
  45,
  "CI that builds and tests with a warmed package cache and no network; an air-gap sealed smoke run",
  () => {
    const { tasks } = JSON.parse(text("deno.json"));
    assert.match(tasks["ci:offline"], /offline\.ts ci/);
    assert.match(text("tests/e2e/offline.ts"), /"--cached-only", "--frozen"/);
    for (const task of ["ci:offline", "sealed-smoke"]) {
      assert.match(text(".ci/run"), new RegExp(`^step .* task ${task}$`, "m"));
    }
  },
);

/**
 * Some containers forbid namespaces even to root; that is the machine's fault, not the program's.
 */
function mayUnshare(): boolean {
  const user = Deno.uid() === 0 ? [] : ["-r"];
  const args = [...user, "-n", "true"];
  return tool("unshare") !== undefined &&
    new Deno.Command("unshare", { args, stderr: "null" }).outputSync().success;
}

lineWith(
  ["unshare", "ip", ...(mayUnshare() ? [] : ["a machine that permits namespaces"])],
  45,
  "an air-gap sealed smoke run",
  async () => {
    const args = ["task", "--quiet", "sealed-smoke"];
    const smoke = await new Deno.Command(Deno.execPath(), { args, cwd: root }).output();
    const said = new TextDecoder().decode(smoke.stdout) + new TextDecoder().decode(smoke.stderr);
    assert.equal(smoke.code, 0, said);
    assert.match(said, /smoke: all of it without a network/);
  },
);
