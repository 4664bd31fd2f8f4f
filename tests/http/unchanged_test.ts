/** A service whose schedules come due, by a clock that a test sets. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Home, type Service, type Shown } from "../support/service_process.ts";

const day = 86_400_000;

/** Profile names that make service_program.ts run a real export, without a pause. */
const profiles = { "at-never": "", "at-nothing": ", whenUnchanged: export" };

/** Starts the service `days` later, waits for the exports that were due, and stops it. */
async function afterDays(
  home: Home,
  days: number,
  look: (service: Service, newest: Shown) => Promise<void> = async () => {},
): Promise<Shown> {
  const clock = join(home.path, "clock");
  writeFileSync(clock, String(days * day));
  const service = await home.startWith({ clock });
  try {
    const ended = () => service.lines().filter(({ event }) => event === "export.ended");
    await service.logged(/(?:"event":"export\.ended"[^]*){2}/);
    assert.deepEqual(ended().map(({ profile }) => profile).toSorted(), Object.keys(profiles));
    const { body } = await service.get("/v1/exports?profile=at-never");
    const [newest] = body.items;
    assert.deepEqual([body.items.length, newest.state], [days, "succeeded"], service.log);
    await look(service, newest);
    return newest;
  } finally {
    assert.equal(await service.stop(), 0);
  }
}

/** Two profiles of the same files that are due each day: one stores what has not changed. */
function scheduled(): Home {
  const home = new Home();
  Deno.mkdirSync(join(home.path, "in"));
  writeFileSync(join(home.path, "in/a.txt"), "the same each time\n");
  const profile = ([name, more]: [string, string]) => `
  ${name}:
    kind: files
    sources: [{ files: ${home.path}/in }]
    schedule: { cron: "0 3 * * *"${more} }
    retention: { days: 2 }
`;
  home.configure(`version: 1\nprofiles:${Object.entries(profiles).map(profile).join("")}`);
  writeFileSync(join(home.path, "clock"), "0");
  return home;
}

/** Notes when the schedules began. */
async function begin(home: Home): Promise<void> {
  const service = await home.startWith({ clock: join(home.path, "clock") });
  assert.equal(await service.stop(), 0);
}

function storedIn(home: Home, profile = "at-never"): string[] {
  const place = join(home.state, "store/default", profile);
  return [...Deno.readDirSync(place)].map(({ name }) => name).toSorted();
}

Deno.test("unchanged scheduled exports store no second copy and keep the confirmed bundle", async (t) => {
  using home = scheduled();
  await begin(home);
  const first = await afterDays(home, 1);
  assert.deepEqual([first.trigger, first.actor, first.sameAs], ["schedule", null, null]);
  Deno.mkdirSync(join(home.path, "in/none"));
  const second = await afterDays(home, 2, async (service, { id }) => {
    const { status, body } = await service.get(`/v1/exports/${id}/files`);
    assert.deepEqual([status, body.items.length > 2], [200, true]);
    const { items } = (await service.get(`/v1/timeline?exportId=${id}`)).body;
    const printed = items.find((one: Shown) => one.stage === "unchanged");
    assert.equal(printed.attributes.sameAs, first.id);
    assert.equal(printed.attributes.emptyDirectoryCount, 1, "it is not in that bundle either");
    const metrics = (await service.get("/metrics")).body;
    assert.match(metrics, /^export_unchanged_total\{profile="at-never"\} 1$/m);
    assert.match(metrics, /^export_jobs_total\{profile="at-never",result="success"\} 1$/m);
  });
  assert.deepEqual(
    [second.sameAs, second.bundleDigest, second.bytes, second.files],
    [first.id, first.bundleDigest, first.bytes, first.files],
  );
  await t.step("whenUnchanged: export stores a copy each time", () => {
    assert.equal(storedIn(home, "at-nothing").length, 2);
  });
  await t.step("a bundle is kept beyond its days while unchanged exports confirm it", async () => {
    assert.equal((await afterDays(home, 3)).sameAs, first.id);
    assert.equal((await afterDays(home, 4)).sameAs, first.id);
    assert.deepEqual(storedIn(home), [first.id]);
  });
  await t.step(
    "changed bundles and manual exports are stored",
    async () => {
      writeFileSync(join(home.path, "in/a.txt"), "changed\n");
      const last = await afterDays(home, 5, async (service) => {
        const asked = await service.until(await service.enqueue("at-never"), "succeeded", "failed");
        assert.deepEqual([asked.sameAs, asked.trigger], [null, "api"]);
      });
      assert.equal(last.sameAs, null);
    },
  );
});
