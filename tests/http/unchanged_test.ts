/** A service whose schedules come due, by a clock that a test sets. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Home, type Service, type Shown } from "../support/service_process.ts";

const day = 86_400_000;

/** Starts the service `days` later, and waits for the export that was due; then stops it. */
async function afterDays(
  home: Home,
  days: number,
  look: (service: Service, exports: Shown[]) => Promise<void> = async () => {},
): Promise<Shown> {
  const clock = join(home.path, "clock");
  writeFileSync(clock, String(days * day));
  const service = await home.startWith({ clock });
  try {
    await service.logged(/"event":"export\.ended"/);
    const { body } = await service.get("/v1/exports");
    const [newest] = body.items;
    assert.deepEqual([body.items.length, newest.state], [days, "succeeded"], service.log);
    await look(service, body.items);
    return newest;
  } finally {
    assert.equal(await service.stop(), 0);
  }
}

function scheduled(whenUnchanged: string): Home {
  const home = new Home();
  Deno.mkdirSync(join(home.path, "in"));
  writeFileSync(join(home.path, "in/a.txt"), "the same each time\n");
  home.configure(`version: 1
profiles:
  at-never:
    kind: files
    sources: [{ files: ${home.path}/in }]
    schedule: { cron: "0 3 * * *"${whenUnchanged} }
    retention: { days: 2 }
`);
  writeFileSync(join(home.path, "clock"), "0");
  return home;
}

/** Notes when the schedule began. */
async function begin(home: Home): Promise<void> {
  const service = await home.startWith({ clock: join(home.path, "clock") });
  assert.equal(await service.stop(), 0);
}

function storedIn(home: Home): string[] {
  const place = join(home.state, "store/default/at-never");
  return [...Deno.readDirSync(place)].map(({ name }) => name).toSorted();
}

Deno.test("a scheduled export that finds nothing new stores no second copy, and its files are there", async () => {
  using home = scheduled("");
  await begin(home);
  const first = await afterDays(home, 1);
  assert.deepEqual([first.trigger, first.actor, first.sameAs], ["schedule", null, null]);
  Deno.mkdirSync(join(home.path, "in/none"));
  const second = await afterDays(home, 2, async (service, [{ id }]) => {
    const { status, body } = await service.get(`/v1/exports/${id}/files`);
    assert.deepEqual([status, body.items.length > 2], [200, true]);
    const { items } = (await service.get(`/v1/timeline?exportId=${id}`)).body;
    const said = items.find((one: Shown) => one.stage === "unchanged");
    assert.equal(said.attributes.sameAs, first.id);
    assert.equal(said.attributes.emptyDirectoryCount, 1, "it is not in that bundle either");
    const metrics = (await service.get("/metrics")).body;
    assert.match(metrics, /^export_unchanged_total\{profile="at-never"\} 1$/m);
    assert.match(metrics, /^export_jobs_total\{profile="at-never",result="success"\} 1$/m);
    // What somebody asks for is made, changed or not.
    const asked = await service.until(await service.enqueue("at-never"), "succeeded", "failed");
    assert.deepEqual([asked.sameAs, asked.trigger], [null, "api"]);
  });
  assert.deepEqual(
    [second.sameAs, second.bundleDigest, second.bytes, second.files],
    [first.id, first.bundleDigest, first.bytes, first.files],
  );
  assert.equal(storedIn(home).length, 2);
  writeFileSync(join(home.path, "in/a.txt"), "changed\n");
  const last = await afterDays(home, 4);
  assert.equal(last.sameAs, null);
});

Deno.test("the bundle of unchanged exports outlives its days as long as they confirm it", async () => {
  using home = scheduled("");
  await begin(home);
  const first = await afterDays(home, 1);
  for (const days of [2, 3, 4, 5]) assert.equal((await afterDays(home, days)).sameAs, first.id);
  assert.deepEqual(storedIn(home), [first.id]);
});

Deno.test("whenUnchanged: export stores a copy each time", async () => {
  using home = scheduled(", whenUnchanged: export");
  await begin(home);
  const first = await afterDays(home, 1);
  const second = await afterDays(home, 2);
  assert.equal(second.sameAs, null);
  assert.deepEqual(storedIn(home), [first.id, second.id].toSorted());
});
