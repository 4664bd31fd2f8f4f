/** The runbook's key metrics, read from a service that has exported the profile `kit` once. */
import assert from "node:assert/strict";
import { asked } from "./asked.ts";
import { metricsAfterExport } from "./scrape.ts";

/** The +Inf bucket of the profile, with the given value. */
const bucket = (name: string, value: number) =>
  new RegExp(
    `^${name}_bucket\\{(?=[^}]*profile="kit")(?=[^}]*le="\\+Inf")[^}]*\\} ${value}$`,
    "m",
  );

const samples: [line: number, behaviour: string, sample: RegExp][] = [
  [
    17,
    "export_job_duration_seconds_bucket counts the durations of a profile",
    bucket("export_job_duration_seconds", 1),
  ],
  [
    18,
    "export_bundle_size_bytes_bucket counts the sizes of a profile's bundles",
    bucket("export_bundle_size_bytes", 1),
  ],
  [
    19,
    "export_registry_push_latency_seconds_bucket is exposed for a profile before its first push",
    bucket("export_registry_push_latency_seconds", 0),
  ],
  [
    20,
    "export_attestation_failures_total is exposed for each reason",
    /^export_attestation_failures_total\{reason="signature_invalid"\} 0$/m,
  ],
  [21, "export_queue_depth is the number of queued jobs", /^export_queue_depth 0$/m],
  [
    22,
    "export_manifest_publish_total counts manifests by their result",
    /^export_manifest_publish_total\{result="success"\} 1$/m,
  ],
];

for (const [line, behaviour, sample] of samples) {
  Deno.test(asked(line, behaviour, async () => assert.match(await metricsAfterExport(), sample)));
}
