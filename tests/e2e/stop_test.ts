/** One and two SIGTERMs during an export that takes seconds: row F12 of the test plan. */
import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { Home, programWords, type Service } from "../support/program.ts";
import { configureStella, until } from "../support/site.ts";

/**
 * A home whose profile `large` reads two GiB of sparse files, which takes long enough to be
 * stopped.
 */
function largeHome(): Home {
  const home = new Home();
  const source = join(home.path, "large");
  Deno.mkdirSync(source);
  using file = Deno.createSync(join(source, "zeros"));
  file.truncateSync(2 ** 31);
  configureStella(home, { profiles: { large: { kind: "files", sources: [{ files: source }] } } });
  return home;
}

/** Asks for an export and waits until its bytes are read. */
async function reading(service: Service): Promise<string> {
  const path = await service.submit({ profile: "large" });
  const id = path.split("/").at(-1)!;
  await until("bytes are read", async () => {
    const { items } = await service.get(`/v1/timeline?exportId=${id}`);
    return items.some((one: { stage: string }) => one.stage === "read") || undefined;
  }, 60);
  return path;
}

/** Waits for the end. @returns the digest */
async function digestOf(service: Service, path: string): Promise<string> {
  const job = await until("the export has ended", async () => {
    const job = await service.get(path);
    return ["queued", "running"].includes(job.state) ? undefined : job;
  }, 300);
  assert.equal(job.state, "succeeded", JSON.stringify(job.error));
  return job.bundleDigest;
}

async function unready(service: Service): Promise<void> {
  service.child.kill("SIGTERM");
  await until("readiness says so", async () => {
    const answer = await fetch(`${service.url}/health/readiness`);
    await answer.body?.cancel();
    return answer.status === 503 || undefined;
  }, 60);
}

Deno.test("one SIGTERM lets the export end, a second one ends the service at once, and no export is lost", async () => {
  const home = largeHome();
  let service = await home.serve();
  try {
    const drained = await reading(service);
    await unready(service);
    assert.equal((await service.child.status).code, 0);

    service = await home.serve();
    const digest = await digestOf(service, drained);
    const cut = await reading(service);
    await unready(service);
    // A service that let the export end would exit with 0.
    assert.equal(await service.stop("SIGTERM"), 130);
    assert.doesNotMatch(service.log, /"service.stopped"/);

    service = await home.serve();
    assert.equal(await digestOf(service, cut), digest);
    assert.match(service.log, /"export.started".*"count":2/);
    assert.equal(await service.stop(), 0);
  } finally {
    await service.stop("SIGKILL");
    home.remove();
  }
});

Deno.test("SIGHUP reloads the certificate and does not end the service", async () => {
  const home = new Home();
  const service = await home.serve();
  try {
    await until("the log says so", () => {
      service.child.kill("SIGHUP");
      return service.log.includes('"event":"service.renew"') || undefined;
    }, 60);
    assert.equal((await fetch(`${service.url}/health/liveness`)).status, 200);
  } finally {
    await service.stop();
    home.remove();
  }
});

/** An export by the command that has begun to write. */
async function writing(home: Home): Promise<Deno.ChildProcess> {
  const [command, ...words] = programWords();
  const child = new Deno.Command(command, {
    args: [...words, ...[
      "export",
      "bundle",
      "--profile",
      "large",
      "--manifest",
      "out/manifest.json",
    ]],
    cwd: home.path,
    env: home.environment(),
    clearEnv: true,
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  await until("the archive is written", () => {
    const out = join(home.path, "out");
    const partial = existsSync(out) && readdirSync(out).find((name) => name.endsWith(".partial"));
    return partial && existsSync(join(out, partial, "large.tar.zst")) || undefined;
  }, 60);
  return child;
}

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  Deno.test(`one ${signal} ends an export command after cleanup, a second one at once`, async () => {
    const home = largeHome();
    const out = join(home.path, "out");
    try {
      const once = await writing(home);
      once.kill(signal);
      assert.equal((await once.status).code, 130);
      assert.deepEqual(readdirSync(out), []);

      const twice = await writing(home);
      twice.kill(signal);
      twice.kill(signal);
      assert.equal((await twice.status).code, 130);
      assert.ok(!existsSync(join(out, "manifest.json")));
    } finally {
      home.remove();
    }
  });
}
