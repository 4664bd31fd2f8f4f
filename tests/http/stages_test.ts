/** A service that is asked to stop at each stage of a real export. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Home, type Service } from "../support/service_process.ts";
import { untilFile } from "../support/changes.ts";
import { isLong } from "../support/needs.ts";

const all = ["plan", "read", "sign", "verify", "store", "published"];
/**
 * Each needs several starts of the service: without STELLA_TEST_LONG only one of each half runs.
 */
const stages = isLong ? all : ["read", "store"];

/** A home whose profiles pause at their stage and then publish to a directory. */
function stagedHome(): Home {
  const home = new Home();
  Deno.mkdirSync(join(home.path, "in"));
  Deno.writeTextFileSync(join(home.path, "in/a.txt"), "the same each time\n");
  Deno.utimeSync(join(home.path, "in/a.txt"), 1_767_225_600, 1_767_225_600);
  const source = `kind: files, sources: [{ files: ${home.path}/in }]`;
  const profile = (name: string) =>
    `  ${name}: { ${source}, targets: [{ directory: ${home.path}/out-${name} }] }\n`;
  const profiles = [...all.map((stage) => `at-${stage}`), "quick"].map(profile).join("");
  home.configure(`version: 1\nservice: { concurrency: 1 }\nprofiles:\n${profiles}`);
  return home;
}

/** Whether paused exports continue. */
function letGo(home: Home, isSo: boolean): void {
  const path = join(home.state, "go");
  if (isSo) writeFileSync(path, "");
  else rmSync(path, { force: true });
}

/** Requests an export and waits until it pauses. */
async function standing(home: Home, service: Service, stage: string): Promise<string> {
  letGo(home, false);
  const id = await service.enqueue(`at-${stage}`);
  const log = join(home.state, "runs.log");
  const mark = `hold at-${stage} ${id}\n`;
  await untilFile(log, (text) => text.includes(mark));
  return id;
}

/** How often this export did so, by the notes of its runs. */
function count(home: Home, what: string, id: string): number {
  const lines = readFileSync(join(home.state, "runs.log"), "utf8").split("\n");
  return lines.filter((line) => line.startsWith(what) && line.endsWith(id)).length;
}

/** The digest of the stored, published and reported bundle, which must be equal. */
async function digestOf(home: Home, service: Service, id: string, stage: string) {
  const job = await service.until(id, "succeeded", "failed", "cancelled");
  assert.equal(job.state, "succeeded", JSON.stringify(job.error));
  const text = readFileSync(join(home.path, `out-at-${stage}/manifest.json`));
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", text));
  assert.equal(job.bundleDigest, digest.toHex());
  return job.bundleDigest;
}

function nothingLeft(home: Home, stage: string): void {
  assert.deepEqual(readdirSync(join(home.state, "tmp")), []);
  const odd = readdirSync(join(home.path, `out-at-${stage}`)).filter((name) =>
    /^\.|old$/.test(name)
  );
  assert.deepEqual(odd, []);
}

Deno.test("SIGTERM at each stage: the service is not ready, takes no export, ends the running one once and exits 0", async () => {
  using home = stagedHome();
  let waiting: string | undefined;
  let service = await home.start();
  try {
    for (const stage of stages) {
      if (waiting !== undefined) await service.until(waiting, "succeeded");
      const id = await standing(home, service, stage);
      waiting = await service.enqueue("quick");
      service.child.kill("SIGTERM");
      // While the export is paused: after its end the service no longer answers.
      await service.logged(/"event":"service\.stopping"/);
      const ready = await service.get("/health/readiness");
      assert.deepEqual([ready.status, ready.body.checks.drain[0].status], [503, "fail"]);
      assert.equal((await service.post({ profile: "quick" })).status, 503);
      letGo(home, true);
      assert.equal((await service.child.status).code, 0, stage);
      assert.deepEqual([count(home, "start", id), count(home, "end", id)], [1, 1], stage);
      assert.equal(count(home, "start", waiting), 0, "a stopping service begins nothing");
      service = await home.start();
      await digestOf(home, service, id, stage);
      nothingLeft(home, stage);
    }
    await service.until(waiting!, "succeeded");
  } finally {
    await service.stop("SIGKILL");
  }
});

Deno.test("a second SIGTERM at each stage ends the service at once, and the next start makes the same bundle", async () => {
  using home = stagedHome();
  let service = await home.start();
  try {
    for (const stage of stages) {
      letGo(home, true);
      const undisturbed = await service.enqueue(`at-${stage}`);
      const expected = await digestOf(home, service, undisturbed, stage);
      const id = await standing(home, service, stage);
      service.child.kill("SIGTERM");
      await service.logged(/"event":"service\.stopping"/);
      service.child.kill("SIGTERM");
      // A service that waited for the paused export would exit with 0.
      assert.equal((await service.child.status).code, 130, stage);
      assert.equal(count(home, "end", id), 0, "it was in the middle");
      letGo(home, true);
      service = await home.start();
      assert.equal(await digestOf(home, service, id, stage), expected, stage);
      assert.equal(count(home, "end", id), 1, stage);
      nothingLeft(home, stage);
    }
  } finally {
    await service.stop("SIGKILL");
  }
});

Deno.test("an export that outlives the drain is queued again, and the attempt does not count", async () => {
  using home = stagedHome();
  const service = await home.startWith({ drain: 50 });
  try {
    const id = await standing(home, service, "read");
    assert.equal(await service.stop(), 0);
    assert.equal(count(home, "end", id), 0);
    letGo(home, true);
    const next = await home.start();
    try {
      await digestOf(home, next, id, "read");
      assert.equal(count(home, "end", id), 1);
    } finally {
      assert.equal(await next.stop(), 0);
    }
  } finally {
    await service.stop("SIGKILL");
  }
});
