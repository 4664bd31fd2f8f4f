import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { configuration, Home, Service } from "../support/service_process.ts";

Deno.test("exports run to their ends, and the service survives the crash of one", async () => {
  using home = new Home();
  const service = await home.start();
  try {
    const ids: string[] = [];
    for (const profile of ["quick", "fail", "crash", "push"]) {
      ids.push(await service.enqueue(profile));
    }
    const ended = [];
    for (const id of ids) ended.push(await service.until(id, "succeeded", "failed"));
    assert.deepEqual(ended.map((job) => [job.state, job.error?.code ?? null]), [
      ["succeeded", null],
      ["failed", "unsafe"],
      ["failed", "defect"],
      ["succeeded", null],
    ]);
    assert.match(ended[0].bundleDigest, /^[0-9a-f]{64}$/);
    assert.match(ended[2].error.message, /a bug/);
    const { body: metrics } = await service.get("/metrics");
    assert.match(metrics, /^export_jobs_total\{profile="crash",result="failed"\} 1$/m);
    assert.match(metrics, /^export_registry_push_total\{profile="push",result="timeout"\} 1$/m);
    assert.match(metrics, /^export_manifest_publish_total\{result="success"\} 2$/m);
    assert.equal(await service.stop(), 0);
    // Every line is JSON, the control characters of the failed export's message included.
    const failed = service.lines().find((line) => line.profile === "fail" && line.error);
    assert.equal(failed.error.message, "Cannot pack \\u{1b}[31mred");
    assert.deepEqual(
      service.lines().filter((line) => line.exportId === ids[0]).map((line) => line.event),
      [
        "audit.queue",
        "export.queued",
        "export.started",
        "export.stage.ended",
        "export.verified",
        "export.published",
        "export.stage.ended",
        "export.ended",
      ],
    );
  } finally {
    await service.stop("SIGKILL");
  }
});

Deno.test("an export has network access only if its profile has a registry, and the service keeps its own", async () => {
  using home = new Home();
  const options = { hostname: "127.0.0.1", port: 0, onListen: () => {} };
  await using registry = Deno.serve(options, () => Response.json({}));
  const source = "kind: files, sources: [{ files: /srv }]";
  home.configure(`version: 1
registries: { site: { url: "http://127.0.0.1:${registry.addr.port}" } }
profiles:
  dial: { ${source} }
  site: { ${source}, targets: [{ registry: site, repository: r, tag: t }] }
`);
  const service = await home.start();
  try {
    const refused = await service.until(await service.enqueue("dial"), "failed", "succeeded");
    assert.deepEqual([refused.state, refused.error?.code], ["failed", "defect"]);
    assert.match(refused.error.message, /net access/);
    const site = await service.until(await service.enqueue("site"), "failed", "succeeded");
    assert.equal(site.state, "succeeded");
    assert.equal((await service.get("/health/liveness")).status, 200);
  } finally {
    assert.equal(await service.stop(), 0);
  }
});

Deno.test("an export interrupted by a kill of the service succeeds once after the next start", async () => {
  using home = new Home();
  const first = await home.start();
  const running = await first.enqueue("gated");
  const waiting = await first.enqueue("quick");
  await home.untilStarted("gated");
  await first.stop("SIGKILL");
  home.openGate();
  const second = await home.start();
  try {
    assert.equal((await second.until(running, "succeeded", "failed")).state, "succeeded");
    assert.equal((await second.until(waiting, "succeeded", "failed")).state, "succeeded");
    assert.deepEqual(home.runs(), [
      "start gated",
      "start gated",
      "end gated",
      "start quick",
      "end quick",
    ]);
    const { body } = await second.get("/metrics");
    assert.match(body, /^export_jobs_total\{profile="gated",result="success"\} 1$/m);
    const started = second.lines().find((line) => line.event === "export.started");
    assert.deepEqual([started.exportId, started.count], [running, 2]);
  } finally {
    assert.equal(await second.stop(), 0);
  }
});

Deno.test("SIGTERM: the service is not ready at once, takes no export, ends the running one and exits 0", async () => {
  using home = new Home();
  const service = await home.start();
  try {
    const running = await service.enqueue("gated");
    const waiting = await service.enqueue("quick");
    await home.untilStarted("gated");
    service.child.kill("SIGTERM");
    // Before the running export has ended, which it does not until the gate is open.
    let ready = await service.get("/health/readiness");
    while (ready.status === 200) ready = await service.get("/health/readiness");
    assert.equal(ready.body.checks.drain[0].status, "fail");
    assert.equal((await service.get("/health/liveness")).status, 200);
    assert.equal((await service.post({ profile: "quick" })).status, 503);
    home.openGate();
    assert.equal((await service.child.status).code, 0);
    assert.deepEqual(home.runs(), ["start gated", "end gated"]);
    const next = await home.start();
    assert.equal((await next.until(running, "succeeded")).state, "succeeded");
    assert.equal((await next.until(waiting, "succeeded")).state, "succeeded");
    assert.equal(await next.stop(), 0);
  } finally {
    await service.stop("SIGKILL");
  }
});

Deno.test("the event loop answers while a worker is busy", async () => {
  using home = new Home();
  const service = await home.start();
  try {
    const id = await service.enqueue("busy");
    await home.untilStarted("busy");
    // Whatever a loaded machine adds, these answers come before the gate is open; on one thread
    // none would.
    for (let n = 0; n < 100; n++) {
      assert.equal((await service.get("/health/liveness")).status, 200);
    }
    assert.deepEqual(home.runs(), ["start busy"], "it is busy still");
    home.openGate();
    assert.equal((await service.until(id, "succeeded", "failed")).state, "succeeded");
  } finally {
    await service.stop("SIGKILL");
  }
});

Deno.test("a second service on the same state directory is refused with the first one's process id", async () => {
  using home = new Home();
  const first = await home.start();
  try {
    const second = new Service(home.spawn());
    await assert.rejects(second.ready());
    assert.equal((await second.child.status).code, 14);
    assert.match(second.log, new RegExp(`process ${first.child.pid} holds it`));
    assert.equal((await first.get("/health/readiness")).status, 200);
  } finally {
    await first.stop();
  }
});

Deno.test("an address that is not loopback is refused before any file is created", async () => {
  using home = new Home();
  const service = new Service(home.spawn({}, "0.0.0.0:0"));
  await assert.rejects(service.ready());
  assert.equal((await service.child.status).code, 2);
  assert.match(service.log, /not a loopback address/);
  assert.equal(existsSync(home.state), false);
});

Deno.test("a service does not start with variables that bypass its permissions", async () => {
  using home = new Home();
  const service = new Service(home.spawn({ SSLKEYLOGFILE: "/nowhere/secret" }));
  await assert.rejects(service.ready());
  assert.equal((await service.child.status).code, 2);
  assert.match(service.log, /SSLKEYLOGFILE is set/);
  assert.doesNotMatch(service.log, /secret/);
});

Deno.test("an unread log does not block the service and continues when it is read again", async () => {
  using home = new Home();
  const service = new Service(home.spawn());
  try {
    await service.ready();
    service.pause();
    for (let n = 0; n < 4; n++) {
      await service.until(await service.enqueue("loud"), "succeeded");
    }
    assert.equal((await service.get("/health/liveness")).status, 200);
    const before = service.log.length;
    service.resume();
    await service.logged(/("export\.ended"[^]*){4}/);
    assert.ok(service.log.length - before > 3 * 65536, "the pipe was full");
    assert.doesNotMatch(service.log, /"log\.lost"/);
    assert.equal(await service.stop(), 0);
  } finally {
    await service.stop("SIGKILL");
  }
});

Deno.test("a closed log pipe does not stop the service", async () => {
  using home = new Home();
  const service = new Service(home.spawn());
  try {
    await service.ready();
    await service.leave();
    await service.until(await service.enqueue("quick"), "succeeded");
    service.child.kill("SIGTERM");
    assert.equal((await service.child.status).code, 0);
  } finally {
    await service.stop("SIGKILL");
  }
});

Deno.test("an export whose profile was removed from the configuration fails with a hint", async () => {
  using home = new Home();
  const first = await home.start();
  const id = await first.enqueue("gated");
  const gone = await first.enqueue("quick");
  await first.until(id, "running");
  await first.stop("SIGKILL");
  home.openGate();
  home.configure(configuration.replace(/^ {2}quick.*\n/m, ""));
  const second = await home.start();
  try {
    const job = await second.until(gone, "failed");
    assert.equal(job.error.code, "config");
    assert.match(job.error.hint, /put the profile quick .* back/);
    assert.equal((await second.post({ profile: "quick" })).status, 400);
    assert.doesNotMatch((await second.get("/metrics")).body, /quick/);
  } finally {
    await second.stop();
  }
});
