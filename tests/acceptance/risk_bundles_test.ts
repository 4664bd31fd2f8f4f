/** The commit section: risk bundles, their store, their signer and their reader. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Home, root } from "../support/program.ts";
import { asked } from "./asked.ts";
import { exportRisk, riskConfig } from "./risk_config.ts";

Deno.test(asked(
  36,
  "a risk bundle joins its providers, exported by the command or by a job of the service",
  async (home) => {
    const config = riskConfig(home);
    const made = await home.json([...exportRisk, ...config]);
    assert.equal(made.exit, 0, JSON.stringify(made));
    const query = await home.json(["risk", "query", "GHSA-xxxx-yyyy-zzzz", "--manifest", "out"]);
    const [{ id, kev, epss, affected, vex }] = query.answers;
    assert.deepEqual([id, kev.ransomware, epss.score], ["CVE-2026-0001", true, 0.9421]);
    assert.equal(affected[0].name, "example.com/box");
    assert.deepEqual(vex[0].status.known_affected, ["Example Box 1.2"]);
    const service = await home.serve(config);
    const job = await service.export({ profile: "risk" });
    await service.stop();
    assert.deepEqual([job.state, job.bundleDigest], ["succeeded", made.bundle.bundleDigest]);
  },
));

Deno.test(asked(
  37,
  "the service stores its bundles as files, by tenant and profile",
  async (home) => {
    const service = await home.serve(riskConfig(home));
    const job = await service.export({ profile: "risk" });
    await service.stop();
    const { bundles } = await home.json(["export", "bundle", "list"]);
    assert.deepEqual(bundles.map((one: { exportId: string }) => one.exportId), [job.id]);
    const { directory } = bundles[0];
    assert.equal(directory, join(home.state, "store/default/risk", job.id));
    assert.deepEqual(readdirSync(join(home.state, "tmp")), []);
    await home.succeed(["verify", directory]);
  },
));

Deno.test(asked(
  38,
  "a bundle with an HMAC signature is verified only with the same shared secret",
  async (home) => {
    for (const name of ["shared", "other"]) {
      await home.succeed(["keys", "generate", "--algorithm", "hmac", "--out", `keys/${name}.key`]);
    }
    const secret = ["--secret", "keys/shared.key"];
    await home.succeed([...exportRisk, ...riskConfig(home), ...secret]);
    // Another machine, which has the shared secret but neither the signing key nor trusted keys.
    const far = new Home();
    const verify = (more: string[]) =>
      far.json(["verify", join(home.path, "out"), ...more], { cwd: home.path });
    try {
      const verified = await verify(secret);
      assert.deepEqual([verified.exit, verified.signer?.name], [0, "shared"]);
      assert.match(verified.signer.keyid, /^hmac-sha256:/);
      assert.equal((await verify([])).exit, 5, "nobody's public key made it");
      assert.equal((await verify(["--trust", "keys/shared.key"])).exit, 2);
      assert.equal((await verify(["--secret", join(home.state, "keys/signing.pub")])).exit, 2);
      assert.equal((await verify(["--secret", "keys/other.key"])).exit, 5);
      const path = join(home.path, "out/manifest.json");
      writeFileSync(path, readFileSync(path, "utf8").replace('"risk"', '"kisr"'));
      const codes = (await verify(secret)).findings.map((one: { code: number }) => one.code);
      assert.deepEqual(codes, [4, 4]);
    } finally {
      far.remove();
    }
  },
));

Deno.test(asked(39, "the unit tests of builder, job and signing pass", async (home) => {
  const suites = [
    "tests/risk/join_test.ts",
    "tests/risk/bad_records_test.ts",
    "tests/export/risk_test.ts",
    "tests/attest/hmac_test.ts",
  ];
  const report = join(home.path, "report.xml");
  const { code, stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["test", "-A", "--no-check", "--quiet", `--junit-path=${report}`, ...suites],
    cwd: root,
    env: { OTEL_DENO: "false", NO_COLOR: "1" },
  }).output();
  assert.equal(code, 0, new TextDecoder().decode(stdout));
  const text = readFileSync(report, "utf8");
  for (const suite of suites) {
    const [, tests] = new RegExp(`<testsuite name="[^"]*${suite}"[^>]* tests="(\\d+)"`)
      .exec(text) ?? [];
    assert.ok(Number(tests) > 5, `${suite}: ${tests}`);
  }
}));

Deno.test(
  asked(40, "list and show read the manifest and the artifacts of a bundle", async (home) => {
    await home.succeed([...exportRisk, ...riskConfig(home)]);
    const list = ["export", "bundle", "list", "--manifest", "out"];
    const { entries } = await home.json(list);
    assert.deepEqual(
      entries.map((one: { path: string; kind: string }) => `${one.path} ${one.kind}`),
      [
        "joined/2025-0xxx.ndjson other",
        "joined/2026-0xxx.ndjson other",
        "joined/GO-2026-0xxx.ndjson other",
        "originals/csaf/ex-2026-0001.json vex",
        "originals/epss/epss.csv epss",
        "originals/kev/kev.json kev",
        "originals/osv/GO-2026-0001.json osv",
        "originals/osv/GO-2026-0002.json osv",
        "providers.json other",
      ],
    );
    assert.deepEqual(
      entries.map((one: { path: string; sha256: string }) => `${one.sha256}  ${one.path}`),
      readFileSync(join(home.path, "out/SHA256SUMS"), "utf8").trim().split("\n"),
    );
    const shown = await home.json(["export", "bundle", "show", "--manifest", "out"]);
    assert.equal(shown.artifacts.osv.files, 2);
    const archive = join(home.path, "out/risk.tar.zst");
    truncateSync(archive, statSync(archive).size - 1);
    const cut = await home.json(list);
    assert.deepEqual([cut.exit, cut.findings[0].reason], [10, "truncated"]);
    writeFileSync(join(home.path, "out/manifest.json"), "{}");
    const unreadable = await home.json(list);
    assert.ok([3, 4].includes(unreadable.exit), JSON.stringify(unreadable));
  }),
);
