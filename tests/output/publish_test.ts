/**
 * Finished bundles that are published into a directory, by one export after another and by two at
 * once.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { type Reason, StellaError } from "../../src/domain/errors.ts";
import type { ExportEvent } from "../../src/domain/export_event.ts";
import { exportToStore } from "../../src/export/stored_export.ts";
import { isTransient } from "../../src/export/transient.ts";
import { OutputTransaction } from "../../src/output/output_transaction.ts";
import { FileStore } from "../../src/store/files/store.ts";
import { assertSound, type Changes, inDirectory, optionsFor } from "../support/run_export.ts";

/** Runs the export `id` of the service, which publishes into `out` unless `more` says otherwise. */
function runJob(out: string, input: string, id: number, more: Changes = {}) {
  const state = join(out, "..", "state");
  const job = { exportId: `019b76da-a800-7000-8000-${String(id).padStart(12, "0")}`, state };
  const all = optionsFor("", input, { targets: [{ directory: out }], ...more });
  return exportToStore(job, all, { ...all, verify: () => Promise.resolve(undefined) }, all);
}

function storedIn(out: string) {
  return new FileStore(join(out, "..", "state")).list();
}

function published(events: ExportEvent[]): unknown[] {
  return events.filter(({ kind }) => kind === "published");
}

Deno.test("an export of the service is in the store and in its target directory, and both verify", async () => {
  await inDirectory(async (out, input) => {
    const events: ExportEvent[] = [];
    await runJob(out, input, 1, { emit: (event) => void events.push(event) });
    await assertSound(out);
    assert.equal(storedIn(out).length, 1);
    const success = { kind: "published", result: "success" };
    assert.deepEqual(published(events), [success, success]);
    const named = events.findIndex(({ kind }) => kind === "signed");
    assert.ok(named < events.findIndex((one) => one.kind === "progress" && one.stage === "verify"));
  });
});

Deno.test("the second of two exports into one directory waits for the first", async () => {
  await inDirectory(async (out, input) => {
    const held = new OutputTransaction({
      directory: out,
      profile: "p",
      tenant: "t",
      force: false,
      uuid: "00000000-0000-7000-8000-000000000009",
    });
    let ended = false;
    const export_ = runJob(out, input, 2);
    const done = export_.then(() => ended = true);
    // Time in which it could go on.
    await new Promise((resolve) => setTimeout(resolve, 300));
    assert.equal(ended, false, "it waits");
    held.close();
    await done;
    await assertSound(out);
  });
});

Deno.test("a stop ends the wait for a directory", async () => {
  await inDirectory(async (out, input) => {
    const uuid = "00000000-0000-7000-8000-000000000009";
    const held = new OutputTransaction({
      directory: out,
      profile: "p",
      tenant: "t",
      force: false,
      uuid,
    });
    const stop = new AbortController();
    const events: ExportEvent[] = [];
    const emit = (event: ExportEvent) => {
      events.push(event);
      // What comes next is the wait.
      if (event.kind === "verified") setTimeout(() => stop.abort(), 200);
    };
    const ended = runJob(out, input, 3, { emit, signal: stop.signal });
    await assert.rejects(ended, { kind: "interrupted" });
    held.close();
    assert.deepEqual(published(events), [{ kind: "published", result: "error" }]);
    assert.deepEqual(storedIn(out), [], "nothing of a cancelled export stays");
  });
});

Deno.test("an export that fails at a target leaves no bundle in the store, and the bundle before it stays", async () => {
  await inDirectory(async (out, input) => {
    await runJob(out, input, 4);
    const before = storedIn(out);
    await Deno.remove(out, { recursive: true });
    await Deno.writeTextFile(out, "in the way");
    const events: ExportEvent[] = [];
    const export_ = runJob(out, input, 5, { emit: (event) => void events.push(event) });
    await assert.rejects(export_, { message: /exist|not a directory/i });
    assert.deepEqual(published(events), [{ kind: "published", result: "conflict" }]);
    assert.deepEqual(storedIn(out), before);
    assert.deepEqual([...Deno.readDirSync(join(out, "../state/tmp"))], []);
  });
});

Deno.test("each failed target is named with its error, and the other targets have the bundle", async () => {
  await inDirectory(async (out, input) => {
    const at = (name: string) => join(out, "..", name);
    await Deno.writeTextFile(at("file"), "in the way");
    await Deno.mkdir(at("taken"));
    await Deno.writeTextFile(join(at("taken"), "manifest.json"), "of somebody else");
    const { name, ...registry } = { name: "site", repository: "r", tag: "t" };
    const events: ExportEvent[] = [];
    const error = await runJob(out, input, 6, {
      registries: [{ name, url: "http://127.0.0.1:1" }],
      targets: [
        { directory: join(at("file"), "below") },
        { directory: at("good") },
        { registry: name, ...registry },
        { directory: at("taken") },
      ],
      // Nothing may be reached, so that no retry waits.
      egress: { sealed: true, allow: [] },
      emit: (event) => void events.push(event),
    }).catch((error) => error);
    assert.ok(error instanceof StellaError);
    assert.deepEqual(
      published(events),
      ["error", "success", "conflict"].map((result) => ({ kind: "published", result })),
    );
    assert.match(error.message, /^Cannot publish to 3 of 4 targets: directory ".+file\/below": /);
    assert.match(error.message, /; registry site: .*this site is sealed/);
    assert.match(error.message, /; directory ".+taken": .+ in the way/);
    assert.match(error.hint ?? "", /egress\.allow.+; .+--force/);
    await assertSound(at("good"));
    assert.deepEqual(storedIn(out), []);
  });
});

Deno.test("an export is retried if the failure of one of its targets is transient", async () => {
  await inDirectory(async (out, input) => {
    await Deno.writeTextFile(join(out, "../file"), "in the way");
    const error = await runJob(out, input, 7, {
      registries: [{ name: "site", url: "http://127.0.0.1:1" }],
      targets: [
        { directory: join(out, "../file/below") },
        { registry: "site", repository: "r", tag: "t" },
      ],
    }).catch((error) => error);
    assert.match(error.message, /^Cannot publish to 2 of 2 targets/);
    assert.equal(isTransient(error), true);
  });
});

Deno.test("transient failures are distinguished from permanent ones, also after a worker boundary", () => {
  const registry = (reason: Reason) => new StellaError(reason, "x", { kind: "remote" });
  for (const reason of ["timeout", "server_error", "reset"] as const) {
    assert.equal(isTransient(registry(reason)), true, reason);
  }
  for (const reason of ["auth", "rejected", "digest_mismatch"] as const) {
    assert.equal(isTransient(registry(reason)), false, reason);
  }
  assert.equal(isTransient(new StellaError("medium_failed", "disk is full")), false);
  assert.equal(isTransient(new Error("a defect")), false);
});
