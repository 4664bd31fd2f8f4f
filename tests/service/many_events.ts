/** A worker of the service whose export reports 20,000 files while its clock is stopped. */
import { answerExports } from "../../src/service/export_worker.ts";

const total = 20_000;

answerExports((job, on) => {
  for (let done = 1; done <= total; done++) on({ kind: "progress", stage: "read", done, total });
  return Promise.resolve({
    profile: job.request.profile.name,
    tenant: job.request.tenant,
    created: "2026-01-01T00:00:00Z",
    bundleDigest: "0".repeat(64),
    keyid: "key",
    bundleBytes: 0,
    emptyDirectories: { count: 0, paths: [] },
    payload: { files: total, bytes: 0 },
    files: ["manifest.json"],
  });
}, { elapsed: () => 0 });
