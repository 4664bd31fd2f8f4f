/**
 * The log of a busy service: every line matches the schema, and filtering by one exportId gives the
 * complete record of one export.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { requiring } from "../support/needs.ts";
import { Home, root, type Service } from "../support/program.ts";
import { type Line, linesOf } from "../support/log_schema.ts";
import { configureStella, startRegistry } from "../support/site.ts";

const sample = [{ files: join(root, "tests/fixtures/sample") }];

/** Runs several exports at once, so that their lines interleave. @returns their ids */
async function work(service: Service): Promise<Record<string, string>> {
  const asked = ["pushed", "broken", "sealed", "lost"].map(async (profile) => {
    const job = await service.export({ profile, tenant: "lab" });
    assert.equal(job.state, profile === "pushed" ? "succeeded" : "failed", profile);
    return [profile, job.id];
  });
  return Object.fromEntries(await Promise.all(asked));
}

function of(lines: readonly Line[], id: string | undefined): Line[] {
  const own = lines.filter((line) => line.exportId === id);
  assert.ok(own.every(({ tenant }) => tenant === "lab"));
  assert.equal(new Set(own.map(({ profile }) => profile)).size, 1);
  const times = own.map(({ timestamp }) => timestamp);
  assert.deepEqual(times, times.toSorted());
  return own;
}

const events = (lines: readonly Line[]) =>
  lines.map(({ event, stage }) => stage === undefined ? event : `${event} ${stage}`);

Deno.test(requiring(
  ["docker-registry"],
  "every log line matches the schema, and an exportId selects all lines of one export",
  async () => {
    const home = new Home();
    const registry = await startRegistry(home.path);
    const push = [{ registry: "site", repository: "exports/a", tag: "latest" }];
    const url = "https://10.0.0.9/kev.json";
    const profile = (sources: unknown, targets: unknown[] = []) => ({
      kind: "files",
      sources,
      targets,
    });
    configureStella(home, {
      tenants: ["lab"],
      registries: { site: { url: registry.url } },
      egress: { sealed: true, allow: [new URL(registry.url).host] },
      profiles: {
        pushed: profile(sample, push),
        sealed: { kind: "risk", providers: [{ kind: "kev", url, sha256: "0".repeat(64) }] },
        broken: profile([{ files: join(home.path, "no\u001b[31mwhere") }]),
        lost: profile(sample, [{ directory: "/dev/null/x" }]),
      },
    });
    const service = await home.serve();
    try {
      const ids = await work(service);
      assert.equal(await service.stop(), 0);
      const lines = linesOf(service.log);
      const stages = ["plan", "read", "sign", "store", "verify", "push", "store"];
      assert.deepEqual(events(of(lines, ids["pushed"])), [
        "audit.queue",
        "export.queued",
        "export.started",
        ...stages.slice(0, 4).map((stage) => `export.stage.ended ${stage}`),
        "export.verified",
        "export.stage.ended verify",
        "export.pushed",
        "export.stage.ended push",
        "export.published",
        "export.stage.ended store",
        "export.ended",
      ]);
      const end = of(lines, ids["pushed"]).at(-1);
      assert.deepEqual([end?.status, end?.attestationStatus], ["succeeded", "verified"]);
      assert.match(end?.bundleDigest ?? "", /^[0-9a-f]{64}$/);
      const signed = of(lines, ids["pushed"]).findIndex(({ event }) => event === "export.verified");
      for (const { bundleDigest } of of(lines, ids["pushed"]).slice(signed)) {
        assert.equal(bundleDigest, end?.bundleDigest);
      }
      assert.ok(of(lines, ids["sealed"]).some(({ event }) => event === "egress.refused"));
      for (const failed of ["broken", "sealed", "lost"]) {
        const own = of(lines, ids[failed]);
        assert.deepEqual([own[0]?.event, own.at(-1)?.event], ["audit.queue", "export.ended"]);
        assert.equal(own.at(-1)?.severityText, "ERROR");
        assert.ok((own.at(-1)?.error?.message ?? "") !== "", failed);
      }
      assert.deepEqual(lines.at(-1)?.event, "service.stopped");
    } finally {
      await service.stop("SIGKILL");
      await registry.stop();
      home.remove();
    }
  },
));
