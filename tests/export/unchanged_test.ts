/**
 * Scheduled exports that find nothing new: no second copy, and targets that lack the bundle get it.
 */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { newSecret, secretFrom } from "../../src/attest/secret.ts";
import type { ExportEvent } from "../../src/domain/export_event.ts";
import { exportToStore } from "../../src/export/stored_export.ts";
import { isPublished } from "../../src/output/publish.ts";
import { sameBundle } from "../../src/export/unchanged.ts";
import { FileStore } from "../../src/store/files/store.ts";
import { testKey } from "../support/bundle_fixture.ts";
import { assertSound, epoch, forms, inDirectory, optionsFor, run } from "../support/run_export.ts";

Deno.test("bundles of the same files compare equal, whatever their time and tool version", async () => {
  for (const form of forms) {
    await inDirectory(async (out, input) => {
      const first = await run(join(out, "1"), input, form);
      const tool = { version: "0.2.0", commit: "1".repeat(40) };
      await run(join(out, "2"), input, { ...form, created: epoch + 86_400, tool });
      const same = sameBundle(join(out, "2"), join(out, "1"));
      assert.equal(same?.bundleDigest, first.bundleDigest);
      assert.deepEqual(new Set(same.files), new Set(first.files));
      const { files: _, emptyDirectories: ___, ...rest } = first;
      const { files: __, ...found } = same;
      assert.deepEqual(found, rest);
    });
  }
});

Deno.test("other files, options or keys make another bundle", async () => {
  await inDirectory(async (out, input) => {
    const secret = () => secretFrom(newSecret(), "secret");
    await run(join(out, "0"), input);
    let count = 0;
    const differs = async (more: Parameters<typeof run>[2]) => {
      const made = join(out, String(++count));
      await run(made, input, more);
      assert.equal(sameBundle(made, join(out, "0")), undefined, Object.keys(more ?? {}).join());
    };
    await differs({ compression: "none" });
    await differs({ layout: "directory" });
    await differs({ volumeSize: 8 << 20 });
    await differs({ programs: [{ name: "stella", path: "/bin/true" }] });
    await differs({ signer: testKey("another").signer });
    await differs({ secret: secret() });
    const [one, other] = [join(out, "one"), join(out, "other")];
    await run(one, input, { secret: secret() });
    await run(other, input, { secret: secret() });
    assert.equal(sameBundle(one, other), undefined);
    writeFileSync(join(input, "a.txt"), "changed");
    await differs({});
    assert.equal(sameBundle(join(out, "1"), join(out, "none")), undefined);
  });
});

Deno.test("a directory has a bundle if the manifest and the sizes of all files match", async () => {
  await inDirectory(async (out, input) => {
    const [one, two] = [join(out, "1"), join(out, "2")];
    await run(one, input);
    assert.equal(isPublished(one, two), false);
    await run(two, input);
    assert.equal(isPublished(one, two), true);
    writeFileSync(join(two, "SHA256SUMS"), "");
    assert.equal(isPublished(one, two), false);
  });
});

/** Runs jobs of one profile. @returns what they reported */
function jobs(out: string, input: string) {
  let count = 0;
  const state = join(out, "..", "state");
  const targets = [{ directory: join(out, "a") }, { directory: join(out, "b") }];
  return async (
    newest?: string,
    verify: (directory: string) => string | undefined = () => undefined,
  ) => {
    const exportId = `019b76da-a800-7000-8000-${String(++count).padStart(12, "0")}`;
    const job = {
      exportId,
      state,
      ...(newest === undefined ? {} : { newest: { exportId: newest } }),
    };
    const events: ExportEvent[] = [];
    const all = optionsFor("", input, {
      targets,
      created: epoch + count,
      emit: (event) => void events.push(event),
    });
    const keys = { ...all, verify: (directory: string) => Promise.resolve(verify(directory)) };
    const report = await exportToStore(job, all, keys, all);
    const printed = events.flatMap((one) =>
      one.kind === "published" ? one.result : one.kind === "progress" ? [] : one.kind
    );
    const stored = new FileStore(state).list().map((one) => one.exportId);
    return { exportId, report, printed, stored };
  };
}

Deno.test("an unchanged export stores no copy and skips targets that have it", async () => {
  await inDirectory(async (out, input) => {
    const job = jobs(out, input);
    const first = await job();
    const second = await job(first.exportId);
    assert.deepEqual(second.printed, ["unchanged", "verified", "skipped", "skipped"]);
    assert.deepEqual(second.stored, [first.exportId]);
    assert.deepEqual(
      [second.report.bundleDigest, second.report.sameAs],
      [first.report.bundleDigest, first.exportId],
    );
  });
});

Deno.test("a target that lost the bundle gets the stored one again", async () => {
  await inDirectory(async (out, input) => {
    const job = jobs(out, input);
    const first = await job();
    Deno.removeSync(join(out, "b"), { recursive: true });
    const second = await job(first.exportId);
    assert.deepEqual(second.printed, ["unchanged", "verified", "skipped", "success"]);
    await assertSound(join(out, "b"));
    assert.ok(isPublished(join(out, "a"), join(out, "b")));
  });
});

Deno.test("changed, missing and damaged bundles are stored again", async () => {
  await inDirectory(async (out, input) => {
    const job = jobs(out, input);
    const first = await job();
    const expectedEvents = ["signed", "verified", "success", "success", "success"];
    assert.deepEqual((await job("019b76da-a800-7000-8000-00000000ffff")).printed, expectedEvents);
    const isStored = (directory: string) => directory.includes("/store/") ? "digest" : undefined;
    const third = await job(first.exportId, isStored);
    assert.deepEqual(third.printed, expectedEvents);
    writeFileSync(join(input, "a.txt"), "changed");
    const fourth = await job(third.exportId);
    assert.deepEqual(fourth.printed, expectedEvents);
    assert.equal(fourth.report.sameAs, undefined);
    assert.equal(fourth.stored.length, 4);
  });
});
