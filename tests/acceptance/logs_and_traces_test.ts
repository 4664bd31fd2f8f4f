/** The runbook's logs and traces. Traces are off until a collector is configured. */
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Home } from "../support/program.ts";
import { asked, askedOfService } from "./asked.ts";

Deno.test(askedOfService(
  23,
  "log lines of an export carry exportId, profile and tenant, and the last one the bundle",
  async (service) => {
    const job = await service.export({ profile: "kit" });
    await service.stop();
    const lines = service.log.trim().split("\n").map((one) => JSON.parse(one));
    const ours = lines.filter((one) => one.exportId === job.id);
    assert.ok(ours.length >= 2, service.log);
    for (const one of ours) assert.deepEqual([one.profile, one.tenant], ["kit", "default"]);
    const last = ours.at(-1);
    assert.equal(last.bundleDigest, job.bundleDigest);
    assert.equal(last.attestationStatus, "verified");
  },
));

/** Whether the service reports, after one export, that traces are on. */
async function traces(home: Home): Promise<boolean> {
  const service = await home.serve();
  try {
    await service.export({ profile: "kit" });
    return (await service.get("/status")).features.traces;
  } finally {
    await service.stop();
  }
}

Deno.test(
  asked(
    24,
    "traces are off by default and are sent to the configured collector",
    async (home) => {
      const received: string[] = [];
      const collector = Deno.serve(
        { hostname: "127.0.0.1", port: 0, onListen: () => {} },
        async (request) => {
          received.push(
            `${request.method} ${new URL(request.url).pathname} ${await request.text()}`,
          );
          return Response.json({});
        },
      );
      try {
        assert.equal(await traces(home), false);
        assert.deepEqual(received, []);
        const endpoint = `http://127.0.0.1:${collector.addr.port}`;
        mkdirSync(home.state, { recursive: true });
        const config = `version: 1\ntraces: { endpoint: "${endpoint}" }\n`;
        writeFileSync(join(home.state, "stella.yaml"), config);
        assert.equal(await traces(home), true);
        assert.match(received.join("\n"), /^POST \/v1\/traces .*"name":"export"/m);
      } finally {
        await collector.shutdown();
      }
    },
  ),
);
