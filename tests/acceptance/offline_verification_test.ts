/** The runbook's offline verification steps. */
import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { tool } from "../support/needs.ts";
import { asked, askedOfService, askedWith, exportKit } from "./asked.ts";

Deno.test(
  asked(32, "the dashboard reads the metrics of the scrape job export-center", async (home) => {
    await home.succeed(["assets", "write", "kit"]);
    const read = (name: string) => readFileSync(join(home.path, "kit/dashboards", name), "utf8");
    const { scrape_configs } = parse(read("prometheus.yml"));
    assert.deepEqual(
      scrape_configs.map((one: { job_name: string }) => one.job_name),
      ["export-center"],
    );
    const { templating } = JSON.parse(read("export-center-observability.json"));
    const job = templating.list.find((one: { name: string }) => one.name === "job");
    assert.deepEqual(job.current.value, ["export-center"]);
  }),
);

Deno.test(
  askedWith(
    ["promtool"],
    32,
    "promtool accepts the scrape configuration unchanged",
    async (home) => {
      await home.succeed(["assets", "write", "kit"]);
      const { code, stderr } = await new Deno.Command(tool("promtool")!, {
        args: ["check", "config", "prometheus.yml"],
        cwd: join(home.path, "kit/dashboards"),
      }).output();
      assert.equal(code, 0, new TextDecoder().decode(stderr));
    },
  ),
);

Deno.test(
  asked(
    33,
    "every file that the manifest lists lies beside it and has the listed size",
    async (home) => {
      await home.succeed(exportKit);
      const out = join(home.path, "out");
      const { files } = JSON.parse(readFileSync(join(out, "manifest.json"), "utf8"));
      assert.ok(files.length >= 2);
      for (const { path, size } of files) {
        assert.ok(existsSync(join(out, path)), path);
        assert.equal(Deno.statSync(join(out, path)).size, size, path);
      }
    },
  ),
);

Deno.test(askedWith(
  ["jq", "sha256sum"],
  33,
  "jq and sha256sum confirm the hashes of the manifest",
  async (home) => {
    await home.succeed(exportKit);
    const out = join(home.path, "out");
    const { files } = JSON.parse(readFileSync(join(out, "manifest.json"), "utf8"));
    const check =
      `jq -r '.files[] | "\\(.sha256)  \\(.path)"' manifest.json | sha256sum -c --strict`;
    const { code, stdout } = await new Deno.Command("sh", { args: ["-c", check], cwd: out })
      .output();
    assert.equal(code, 0);
    assert.equal(new TextDecoder().decode(stdout).match(/: OK$/gm)?.length, files.length);
  },
));

Deno.test(askedOfService(
  34,
  "status fails unless the service has the version and commit of the bundle's manifest",
  async (service, home) => {
    await home.succeed(exportKit);
    const path = join(home.path, "out/manifest.json");
    const manifest = readFileSync(path, "utf8");
    const { tool } = JSON.parse(manifest);
    const { version, commit } = await service.get("/status");
    assert.deepEqual({ version, commit }, { version: tool.version, commit: tool.commit });
    const other = manifest.replace(`"version":"${version}"`, `"version":"9.9.9"`);
    assert.notEqual(other, manifest);
    writeFileSync(path, other);
    const ran = await home.stella(["status", "--url", service.url, "--manifest", path]);
    assert.notEqual(ran.code, 0);
  },
));
