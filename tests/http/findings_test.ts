/**
 * The findings of a failed export, each with its location, from the worker to the API, timeline,
 * log and commands.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import type { ExportFlags } from "../../src/cli/export_options.ts";
import { listJobs } from "../../src/cli/jobs.ts";
import { submitExport } from "../../src/cli/submit_export.ts";
import { showTimeline } from "../../src/cli/timeline.ts";
import { StellaError } from "../../src/domain/errors.ts";
import { exportSchema } from "../../src/http/export_request.ts";
import { lineSchema } from "../support/log_schema.ts";
import { host } from "../support/quiet_host.ts";
import { Home, type Service } from "../support/service_process.ts";

/**
 * A service whose profiles are real exports: of two names that cannot be carried, and of risk data
 * with a bad record.
 */
async function refusing(body: (service: Service, home: Home) => Promise<void>): Promise<void> {
  using home = new Home();
  const input = join(home.path, "in");
  Deno.mkdirSync(join(input, "sub"), { recursive: true });
  Deno.writeTextFileSync(join(input, "sub/CON"), "a device\n");
  Deno.writeTextFileSync(join(input, "red\u001b[31m"), "a colour\n");
  const epss = join(home.path, "epss.csv");
  Deno.writeTextFileSync(
    epss,
    "#model_version:v1,score_date:2026-01-01T00:00:00Z\ncve,epss,percentile\nCVE-1,x,1\n",
  );
  home.configure(`version: 1
profiles:
  at-names: { kind: files, sources: [{ files: ${input}, prefix: osv }] }
  at-risk: { kind: risk, providers: [{ kind: epss, path: ${epss} }] }
`);
  const service = await home.start();
  try {
    await body(service, home);
  } finally {
    assert.equal(await service.stop(), 0);
  }
}

Deno.test("all names that cannot be packed are reported: API, timeline, log and commands", async () => {
  await refusing(async (service, home) => {
    const { url } = service;
    const id = await service.enqueue("at-names");
    const job = await service.until(id, "failed", "succeeded");
    assert.ok(exportSchema.safeParse(job).success);
    const paths = job.error.findings.map(({ path }: { path: string }) => path);
    assert.deepEqual(paths, ["osv/red\u001b[31m", "osv/sub/CON"]);
    assert.doesNotMatch(JSON.stringify(job), new RegExp(home.path), "a tenant sees no place");

    const { body: page } = await service.get(`/v1/timeline?exportId=${id}`);
    assert.deepEqual(page.items.at(-1).attributes.error.findings, job.error.findings);

    const list = await listJobs({ server: url, limit: "50" }, host);
    assert.match(
      list.text,
      /^ {4}osv\/red\\u\{1b\}\[31m: not every system can hold this name: .+$/m,
    );
    assert.match(list.text, /^ {4}osv\/sub\/CON: not every system can hold this name: .+$/m);
    const { text } = await showTimeline(id, { server: url, limit: "50" }, host);
    assert.match(
      text,
      /failed .*Cannot export.*\n {4}osv\/red\\u\{1b\}.*\n {4}osv\/sub\/CON: not every/,
    );
    assert.doesNotMatch(text, /"findings"/, "they are told once");

    const line = service.lines().find(({ event, error }) => event === "export.ended" && error);
    assert.ok(lineSchema.safeParse(line).success);
    assert.equal(line.error.findings[0].path, "osv/red\\u{1b}[31m");
    assert.equal(line.error.findings[1].path, "osv/sub/CON");
  });
});

Deno.test("export --server ends with the findings of the service", async () => {
  await refusing(async ({ url }) => {
    const flags = { profile: "at-risk", layout: "archive", server: url } as ExportFlags;
    const error = await submitExport(flags, host).catch((error) => error);
    assert.ok(error instanceof StellaError);
    assert.match(error.message, /failed: Cannot build the risk data: 1 invalid record/);
    const { path, line, reason, kind } = error.findings[0]!;
    assert.deepEqual({ path, line, reason, kind }, {
      path: "epss/epss.csv",
      line: 3,
      reason: "record_invalid",
      kind: "usage",
    });
  });
});
