/**
 * What a running service keeps in its store, over failed exports, restarts, damage and the loss of
 * its database.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { Home, Service } from "../support/service_process.ts";

const day = 86_400_000;

/** Profiles whose exports are real ones, into a directory; of each the newest bundle is kept. */
function storeHome(...names: string[]): Home {
  const home = new Home();
  Deno.mkdirSync(join(home.path, "in"));
  Deno.writeTextFileSync(join(home.path, "in/a.txt"), "the same each time\n");
  configure(home, names);
  return home;
}

function configure(home: Home, names: string[]): void {
  const profiles = names.map((name) =>
    `  ${name}: { kind: files, sources: [{ files: ${home.path}/in }], retention: { keep: 1 },` +
    ` targets: [{ directory: ${home.path}/out }] }\n`
  );
  home.configure(`version: 1\nservice: { retentionDays: 30 }\nprofiles:\n${profiles.join("")}`);
}

/** Ids of the bundles that are there, below the first tenant and profile that have some. */
function storedIn(home: Home, profile = "at-end"): string[] {
  const place = join(home.state, "store/default", profile);
  return [...Deno.readDirSync(place)].map(({ name }) => name).toSorted();
}

async function made(service: Service, ...states: string[]): Promise<string> {
  const id = await service.enqueue("at-end");
  const job = await service.until(id, "succeeded", "failed");
  assert.ok(states.includes(job.state), JSON.stringify(job.error));
  return id;
}

const files = async (service: Service, id: string) =>
  (await service.get(`/v1/exports/${id}/files`)).status;

/** Polls the metrics: they are computed at each scrape, and there is no event for a change. */
async function says(service: Service, line: RegExp): Promise<void> {
  let body = "";
  for (let n = 0; n < 2_400; n++) {
    body = (await service.get("/metrics")).body;
    if (line.test(body)) return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  assert.match(body, line);
}

Deno.test("the last good bundle survives failed exports and restarts until a newer one replaces it", async () => {
  using home = storeHome("at-end");
  let service = await home.start();
  try {
    const good = await made(service, "succeeded");
    Deno.removeSync(join(home.path, "out"), { recursive: true });
    Deno.writeTextFileSync(join(home.path, "out"), "in the way");
    const failed = await made(service, "failed");
    assert.deepEqual(storedIn(home), [good]);
    assert.match(
      (await service.get("/metrics")).body,
      /^export_manifest_publish_total\{result="success"\} 2$/m,
    );
    assert.equal(await service.stop(), 0);
    service = await home.start();
    assert.deepEqual([await files(service, good), await files(service, failed)], [200, 404]);
    Deno.removeSync(join(home.path, "out"));
    const newer = await made(service, "succeeded");
    const answer = await fetch(`${service.url}/v1/exports/${failed}/retry`, { method: "POST" });
    await answer.body?.cancel();
    await service.until(failed, "succeeded");
    assert.equal(await files(service, failed), 200, "it was asked for first and made last");
    assert.equal(await files(service, newer), 404);
    assert.deepEqual(storedIn(home), [failed]);
  } finally {
    await service.stop("SIGKILL");
  }
});

Deno.test("partial output of a dead service is removed; bundles of unknown exports are reported and kept", async () => {
  using home = storeHome("at-end");
  let service = await home.start();
  const clock = join(home.path, "clock");
  try {
    const good = await made(service, "succeeded");
    Deno.removeSync(join(home.path, "out"), { recursive: true });
    Deno.writeTextFileSync(join(home.path, "out"), "in the way");
    const failed = await made(service, "failed");
    assert.equal(await service.stop(), 0);
    const unknown = "0198c5e2-7d7a-7c6e-9f0e-3b1f2a4c5d6e";
    for (const id of [failed, unknown]) {
      Deno.mkdirSync(join(home.state, "store/default/at-end", id));
    }
    Deno.writeTextFileSync(clock, String(100 * day));
    service = await home.startWith({ clock });
    await says(service, /^export_store_bundles\{profile="at-end"\} 2$/m);
    assert.deepEqual(storedIn(home), [unknown, good].toSorted());
    assert.equal((await service.get(`/v1/exports/${failed}`)).status, 404, "it is forgotten");
    assert.equal(await files(service, good), 200, "an export with a bundle is not");
    assert.equal(await service.stop(), 0);
    const reported = (event: string) => service.lines().filter((line) => line.event === event);
    assert.deepEqual(reported("store.stray").map(({ exportId }) => exportId), [failed]);
    assert.deepEqual(reported("store.unknown").map(({ count, exportId }) => [count, exportId]), [
      [1, unknown],
    ]);
  } finally {
    await service.stop("SIGKILL");
  }
});

Deno.test("bundles of removed profiles are counted under one common name", async () => {
  using home = storeHome("at-end", "at-other");
  let service = await home.start();
  try {
    await made(service, "succeeded");
    await says(service, /^export_store_bundles\{profile="_removed"\} 0$/m);
    assert.equal(await service.stop(), 0);
    configure(home, ["at-other"]);
    service = await home.start();
    await says(service, /^export_store_bundles\{profile="_removed"\} 1$/m);
    await says(service, /^export_store_bytes\{profile="_removed"\} [1-9]\d+$/m);
  } finally {
    assert.equal(await service.stop(), 0);
  }
});

Deno.test("bundles found damaged by a scrub are not served, also after a restart, until they are removed", async () => {
  using home = storeHome("at-end");
  let service = await home.start();
  try {
    const id = await made(service, "succeeded");
    assert.equal(await service.stop(), 0);
    const archive = join(home.state, "store/default/at-end", id, "at-end.tar.zst");
    Deno.writeFileSync(archive, new Uint8Array(Deno.statSync(archive).size));
    Deno.removeSync(join(home.state, "scrubbed"));
    service = await home.start();
    await says(service, /^export_store_damaged_bundles 1$/m);
    assert.equal(await service.stop(), 0);
    service = await home.start();
    const { body } = await service.get("/metrics");
    assert.match(body, /^export_store_damaged_bundles 1$/m);
    assert.match(body, /^export_store_scrub_timestamp_seconds [1-9]/m);
    for (const path of ["files", "files/at-end.tar.zst", "bundle.tar"]) {
      const answer = await service.get(`/v1/exports/${id}/${path}`);
      assert.equal(answer.status, 500, path);
      assert.match(JSON.stringify(answer.body), /damaged: its file .*at-end\.tar\.zst/);
    }
    const purged = await fetch(`${service.url}/v1/exports/${id}`, { method: "DELETE" });
    assert.equal(purged.status, 204);
    await says(service, /^export_store_damaged_bundles 0$/m);
    await says(service, /^export_store_bundles\{profile="at-end"\} 0$/m);
  } finally {
    assert.equal(await service.stop(), 0);
  }
});

Deno.test("the service is not ready while its store is missing", async () => {
  using home = storeHome("at-end");
  const [store, away] = [join(home.state, "store"), join(home.path, "away")];
  let service = await home.start();
  try {
    const id = await made(service, "succeeded");
    assert.equal(await service.stop(), 0);
    Deno.renameSync(store, away);
    service = await home.start();
    const { status, body } = await service.get("/health/readiness");
    assert.equal(status, 503);
    assert.match(JSON.stringify(body.checks["storage:write"]), /ENOENT.*state\/store\//);
    assert.equal(await service.stop(), 0);
    Deno.renameSync(away, store);
    service = await home.start();
    assert.equal((await service.get("/health/readiness")).status, 200);
    assert.equal(await files(service, id), 200);
  } finally {
    assert.equal(await service.stop(), 0);
  }
});

Deno.test("a lost database is not created anew beside a store that has bundles", async () => {
  using home = storeHome("at-end");
  let service = await home.start();
  try {
    const id = await made(service, "succeeded");
    assert.equal(await service.stop(), 0);
    const databases = ["stella.db", "stella.db-wal", "stella.db-shm"];
    for (const name of databases) {
      await Deno.remove(join(home.state, name)).catch(() => {});
    }
    for (const isEmpty of [false, true]) {
      if (isEmpty) Deno.writeTextFileSync(join(home.state, "stella.db"), "");
      const refused = new Service(home.spawn());
      await assert.rejects(refused.ready(), /new database .*stella\.db.* has bundles \(1\)/);
      assert.equal((await refused.child.status).code, 2);
    }
    Deno.renameSync(join(home.state, "store"), join(home.path, "store"));
    service = await home.start();
    assert.equal((await service.get(`/v1/exports/${id}`)).status, 404);
    await made(service, "succeeded");
  } finally {
    assert.equal(await service.stop(), 0);
  }
});
