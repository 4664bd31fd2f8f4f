/** The runbook as the service shows it. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { askedOfService } from "./asked.ts";

const headings = [
  "Dashboards",
  "Key metrics",
  "Logs and traces",
  "Health and diagnostics",
  "Alert hints",
  "Offline verification steps",
  "Evidence locations",
];

Deno.test(askedOfService(
  35,
  "the service shows the runbook with its headings and the locations of the evidence",
  async (service, home) => {
    const runbook: string = await service.get("/runbook");
    for (const heading of headings) {
      assert.match(runbook, new RegExp(`<h2[^>]*>${heading}`, "i"));
    }
    const evidence = runbook.split(/<h2[^>]*>Evidence locations/i)[1] ?? "";
    for (const what of ["sprint tracker", "README", "architecture", "implementation plan"]) {
      assert.ok(evidence.includes(what), what);
    }
    // The directory of finished bundles contains one after an export.
    assert.match(evidence, /<code>store<\/code> in the state directory/);
    const job = await service.export({ profile: "kit" });
    assert.ok(existsSync(join(home.state, "store/default/kit", job.id, "manifest.json")));
  },
));
