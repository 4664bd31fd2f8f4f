/**
 * What the user asked, line by line: one test per line of the list in the README ("What was asked, and where it lies"), against the
 * program. Lines that are not built yet stand in `pending`, which has to become empty.
 */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { tool } from "./needs.ts";
import { binary, Home, root, type Service } from "./program.ts";

const pending = new Set([24, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45]);

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
  assert.match(text("src/server/server.ts"), /from "hono"/);
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
    return;
  }
  assert.equal(ran.exit, 0);
  const carried = new Deno.Command(join(home.path, "out/stella"), {
    args: ["verify", "out"],
    cwd: home.path,
    env: home.environment(),
    clearEnv: true,
  });
  assert.equal((await carried.output()).code, 0);
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
  if (tool("systemd-analyze") === undefined) return;
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

line(24, "traces disabled by default; OTLP to an on-prem collector when permitted");

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
    if (tool("jq") === undefined || tool("sha256sum") === undefined) return;
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
    for (let n = 1; n <= 45; n++) assert.match(readme, new RegExp(`^\\| ${n} \\|`, "m"));
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

line(
  36,
  "risk bundles: a builder with metadata and providers; a job that builds and stores them; models",
);
line(37, "a file-system object store for risk bundle artifacts");
line(38, "an HMAC signer for risk bundle manifests");
line(39, "unit tests of builder, job and signing");
line(40, "a file-system artifact reader: manifest parsing and artifact listing, tested");
line(41, "egress scenarios: test manifests of allowed and denied egress (a sealed site)");
line(42, "a timeline query service: tenant and event id handling, tested");
line(43, "OTLP span sink for traces, with a collector configuration and a script that runs it");
line(44, "a second dashboard JSON for traces and observations (VEX)");
line(
  45,
  "CI that builds and tests with a warmed package cache and no network; an air-gap sealed smoke run",
);
