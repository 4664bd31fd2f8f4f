/**
 * Pushes of the service: a retried export resumes its uploads, and a second target mounts blobs of
 * the first one.
 */
import assert from "node:assert/strict";
import type { Target } from "../../src/config/profile.ts";
import { publishTargets } from "../../src/export/targets.ts";
import type { ExportReport } from "../../src/export/report.ts";
import type { UploadSession } from "../../src/registry/sessions.ts";
import { uploadsOf, type WorkerEvent } from "../../src/service/export_worker.ts";
import { type FakeBundle, withBundle } from "../support/registry/fake_bundle.ts";
import { digestOf, FakeRegistry } from "../support/registry/fake_registry.ts";
import { optionsFor } from "../support/run_export.ts";

const size = 33 * 1024 * 1024;
type Upload = Extract<WorkerEvent, { kind: "upload" }>;

function publication(
  registry: FakeRegistry,
  { dir: directory }: FakeBundle,
  uploads: [string, UploadSession][] = [],
) {
  const printed: WorkerEvent[] = [];
  const emit = (event: WorkerEvent) => void printed.push(event);
  const report = {
    created: "2026-01-01T00:00:00Z",
    profile: "p",
    tenant: "t",
    bundleDigest: "0".repeat(64),
  } as ExportReport;
  const push = async (targets: Target[], signal = new AbortController().signal) => {
    const registries = [{ name: "site", url: `http://${registry.host}` }];
    const memory = uploadsOf({ uploads }, emit);
    const all = optionsFor("", [], { targets, registries, signal, emit, uploads: memory });
    await publishTargets(all, { exportId: "1", directory, report }, all);
  };
  return { printed, push };
}

const target = (repository: string): Target => ({ registry: "site", repository, tag: "v1" });

async function withRegistry(body: (registry: FakeRegistry) => Promise<void>): Promise<void> {
  const registry = await new FakeRegistry().start();
  try {
    await body(registry);
  } finally {
    await registry.stop();
  }
}

Deno.test("upload progress is reported, and another process resumes from it", () =>
  withRegistry((registry) =>
    withBundle(async (bundle) => {
      const one = target("exports/a");
      const first = publication(registry, bundle);
      const stop = new AbortController();
      let chunks = 0;
      registry.guard = (request) => {
        if (request.method === "PATCH" && ++chunks === 2) stop.abort();
        return true;
      };
      await assert.rejects(first.push([one], stop.signal), { kind: "interrupted" });
      const ends = first.printed.filter(({ kind }) => kind === "pushed");
      assert.deepEqual(ends, [], "who stops a push does not blame the registry");
      const reported = first.printed.filter((event): event is Upload => event.kind === "upload");
      assert.deepEqual(reported.map(({ session }) => session?.offset), [0, 32 * 1024 * 1024]);
      const kept = reported.at(-1)!;
      const again = publication(registry, bundle, [[kept.key, kept.session!]]);
      registry.received = 0;
      await again.push([one]);
      assert(registry.received < 2 * 1024 * 1024, `${registry.received} bytes were sent`);
      assert.deepEqual(again.printed.findLast(({ kind }) => kind === "upload"), {
        kind: "upload",
        key: kept.key,
      });
      assert.deepEqual(registry.blobs.get(digestOf(bundle.archive)), bundle.archive);
    }, size)
  ));

Deno.test("blobs of an earlier target in the same registry are mounted", () =>
  withRegistry((registry) =>
    withBundle(async (bundle) => {
      const { push } = publication(registry, bundle);
      const posts: string[] = [];
      let isSecond = false;
      registry.guard = ({ method, url = "" }) => {
        if (!isSecond && url.includes("exports/b/")) {
          isSecond = true;
          assert.deepEqual(new Set(posts.splice(0)), new Set([""]));
          registry.blobs.clear();
        }
        if (method === "POST") posts.push(new URL(url, "http://x").searchParams.get("from") ?? "");
        return true;
      };
      await push([target("exports/a"), target("exports/b")]);
      assert.deepEqual(new Set(posts), new Set(["exports/a"]));
    })
  ));
