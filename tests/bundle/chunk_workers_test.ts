/** Work on the program's own workers has the same results as work without workers. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { directorySource } from "../../src/bundle/source.ts";
import { chunkWorkers } from "../../src/cli/chunk_worker.ts";
import { type Changes, onProgress, run, snapshot } from "../support/run_export.ts";
import { verifyBundle } from "../../src/verify/verify.ts";
import { outcomeOf } from "../support/outcome.ts";
import { makeBundle, writeFiles } from "../support/bundle_fixture.ts";
import { isLong } from "../support/needs.ts";

const mainUrl = new URL("../../main.ts", import.meta.url).href;
const workers = chunkWorkers({ mainUrl, stop: new AbortController().signal });

function smallFiles(count: number): { path: string; content: string }[] {
  return Array.from({ length: count }, (_, i) => ({
    path: `d${i - i % 100}/f${i}`,
    content: `${i}`.repeat(1 + i * 7919 % 700),
  }));
}

/**
 * Enough files to start workers; sizes around that of a chunk; an empty file, and names with a PAX
 * header.
 */
const packed = [
  ...smallFiles(4100),
  ...[-1024, -512, -1, 0, 1].map((more) => ({
    path: `d500/chunk${more}`,
    content: "7".repeat((4 << 20) + more),
  })),
  { path: "empty", content: "" },
  { path: `d0/${"n".repeat(180)}`, content: "long" },
  { path: `d500/${"m".repeat(180)}`, content: "long, at the border of a chunk" },
];

/** A large file, so that workers are started; the other files make ten batches. */
const listed = [...smallFiles(600), { path: "d500/large", content: "\0".repeat(66 << 20) }];

/** Not below /dev: Deno does not let a worker with full read permission read there. */
async function inRoot(body: (root: string) => Promise<void>): Promise<void> {
  const root = mkdtempSync(join(tmpdir(), "stella-chunks-"));
  try {
    await body(root);
  } finally {
    rmSync(root, { recursive: true });
  }
}

function writeInput(root: string): string {
  const input = join(root, "in");
  writeFiles(input, Object.fromEntries(packed.map(({ path, content }) => [path, content])));
  return input;
}

const forms: Changes[] = [
  {},
  { compression: "none", volumeSize: 8 << 20 },
  ...isLong ? [{ compression: "none" } as const, { volumeSize: 8 << 20 }] : [],
];

Deno.test("a bundle made with workers is byte-identical to one made without", async () => {
  await inRoot(async (root) => {
    const input = writeInput(root);
    for (const [i, form] of forms.entries()) {
      let started = 0;
      const counted = (mayRead: boolean) => {
        started++;
        return workers(mayRead);
      };
      // Rules of a source are functions, which are not sent to workers.
      const sources = [{ path: input, exclude: ["nothing"], follow: true }];
      await run(join(root, `with-${i}`), [], { ...form, sources, workers: counted });
      await run(join(root, `without-${i}`), input, form);
      assert.equal(started, 1);
      const made = snapshot(join(root, `with-${i}`));
      const expected = snapshot(join(root, `without-${i}`));
      assert.deepEqual(Object.keys(made), Object.keys(expected));
      for (const path of Object.keys(expected)) {
        assert.ok(made[path] === expected[path], `${JSON.stringify(form)}: ${path} differs`);
      }
    }
  });
});

Deno.test("an error in a worker keeps its code, message and hint", async () => {
  await inRoot(async (root) => {
    const input = writeInput(root);
    let done = false;
    const reported = onProgress((stage, bytes) => {
      if (stage !== "read" || bytes === 0 || done) return;
      done = true;
      // By then the file has been checked and handed to a worker.
      truncateSync(join(input, "d0/f0"), 0);
    });
    await assert.rejects(run(join(root, "out"), input, { workers, ...reported }), {
      kind: "conflict",
      message: /d0\/f0.* is not what it was when the export began/,
      hint: /export a snapshot/,
    });
    assert.deepEqual(snapshot(join(root, "out")), {});
  });
});

Deno.test("an export and a verification with workers end at once when they are aborted, and leave no files", async () => {
  await inRoot(async (root) => {
    const input = writeInput(root);
    for (const layout of ["archive", "directory"] as const) {
      const stop = new AbortController();
      const interrupted = { kind: "interrupted" };
      const progress = (bytes: number) => bytes > 0 && stop.abort();
      const stopped = chunkWorkers({ mainUrl, stop: stop.signal });
      const out = join(root, layout);
      if (layout === "archive") {
        const reported = onProgress((stage, bytes) => void (stage === "read" && progress(bytes)));
        const exported = run(out, input, { workers: stopped, ...reported });
        await assert.rejects(exported, interrupted);
        assert.deepEqual(snapshot(out), {});
      } else {
        const { files, key } = makeBundle({ layout, entries: listed });
        writeFiles(out, files);
        const verified = verifyBundle(directorySource(out), {
          trusted: [key.trusted],
          workers: stopped,
          progress: (bytes) => void progress(bytes),
        });
        await assert.rejects(verified, interrupted);
      }
    }
  });
});

/** Each case costs two verifications, so damage that is found independently shares a bundle. */
const damages: [string, (payload: string) => void][] = [
  ["nothing", () => {}],
  ["files gone", (payload) => rmSync(join(payload, "d500"), { recursive: true })],
  ["files changed, larger, cut, a link and one too many", (payload) => {
    writeFileSync(join(payload, "d0/f7"), "other");
    writeFileSync(join(payload, "d0/f9"), new Uint8Array(3 << 20));
    truncateSync(join(payload, "d500/large"), 5);
    rmSync(join(payload, "d0/f8"));
    symlinkSync("/etc/hostname", join(payload, "d0/f8"));
    writeFileSync(join(payload, "d0/extra"), "");
  }],
  ["a link to a directory", (payload) => {
    rmSync(join(payload, "d0"), { recursive: true });
    symlinkSync("d500", join(payload, "d0"));
  }],
  ["the payload is a link", (payload) => {
    rmSync(payload, { recursive: true });
    symlinkSync("/etc", payload);
  }],
  ["a malformed line in the index", (payload) => {
    const path = join(payload, "../SHA256SUMS");
    const text = Deno.readTextFileSync(path);
    Deno.writeTextFileSync(path, text.slice(0, 40_000) + "\n" + text.slice(40_000));
  }],
];

/** The large file is sparse. */
function copy(from: string, to: string): void {
  const args = ["-a", "--sparse=always", from, to];
  assert.ok(new Deno.Command("cp", { args }).outputSync().success);
}

Deno.test("workers report the same findings in a directory bundle as a verification without them", async () => {
  await inRoot(async (root) => {
    const { files, key } = makeBundle({ layout: "directory", entries: listed });
    const sound = join(root, "sound");
    writeFiles(sound, files);
    for (const [about, damage] of damages) {
      const out = join(root, "out");
      rmSync(out, { recursive: true, force: true });
      copy(sound, out);
      damage(join(out, "payload"));
      const by = async (more: object) => {
        const { code, verdict } = await outcomeOf(directorySource(out), [key.trusted], more);
        return { code, findings: verdict!.findings, verified: verdict!.filesVerified };
      };
      const expected = await by({});
      assert.deepEqual(await by({ workers }), expected, about);
      assert.equal(expected.code === 0, about === "nothing", about);
    }
  });
});
