import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { closeSync, openSync, statSync } from "node:fs";
import { escaped } from "../../src/domain/names.ts";
import { isJournal } from "../../src/telemetry/journal.ts";
import { LineWriter } from "../../src/telemetry/line_writer.ts";
import { type LogOptions, openLog } from "../../src/telemetry/log.ts";
import { linesOf } from "../support/log_schema.ts";

const resource = {
  "service.name": "stella",
  "service.version": "0.1.0",
  "service.instance.id": "host:8420",
};

/** A log into memory. */
function bench(more: Partial<LogOptions> = {}) {
  const written: string[] = [];
  const open = openLog({
    write: (bytes) => {
      written.push(new TextDecoder().decode(bytes));
      return Promise.resolve(bytes.length);
    },
    now: () => Date.UTC(2026, 0, 1),
    resource,
    escape: escaped,
    journal: false,
    ...more,
  });
  const lines = async () => {
    await open.drained(1_000);
    return written.join("").split("\n").slice(0, -1);
  };
  return { ...open, lines };
}

Deno.test("a line is one JSON object with the names of the contract", async () => {
  const { log, lines } = bench();
  log("ERROR", "export.ended", "export ended", {
    exportId: "01a2",
    profile: "advisories",
    tenant: "lab",
    bundleDigest: "ab",
    attestationStatus: "verified",
    registry: "site",
    stage: "push",
    durationMs: 12,
    error: { code: "remote", message: "refused", hint: "ask" },
  });
  assert.deepEqual((await lines()).map((line) => JSON.parse(line)), [{
    timestamp: "2026-01-01T00:00:00.000Z",
    severityText: "ERROR",
    severityNumber: 17,
    body: "export ended",
    event: "export.ended",
    resource,
    exportId: "01a2",
    profile: "advisories",
    tenant: "lab",
    bundleDigest: "ab",
    attestationStatus: "verified",
    registry: "site",
    stage: "push",
    durationMs: 12,
    error: { code: "remote", message: "refused", hint: "ask" },
  }]);
});

Deno.test("control characters and line breaks are escaped at any depth", async () => {
  const { log, lines } = bench();
  log("WARN", "export.ended", "export ended", {
    path: "a\u001b[31m\u202egnp.exe",
    error: { code: "unsafe", message: "one\ntwo\u2028three\u0007" },
  });
  const [line, ...others] = await lines();
  assert.deepEqual(others, []);
  // deno-lint-ignore no-control-regex -- none of these may be in the line
  assert.doesNotMatch(line!, /[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2028\u2029]/);
  assert.equal(JSON.parse(line!).path, "a\\u{1b}[31m\\u{202e}gnp.exe");
});

Deno.test("for the journal each line begins with its priority", async () => {
  const { log, lines } = bench({ journal: true });
  for (const severity of ["INFO", "WARN", "ERROR"] as const) {
    log(severity, "x", "y");
  }
  assert.deepEqual((await lines()).map((line) => line.slice(0, 3)), [
    "<6>",
    "<4>",
    "<3>",
  ]);
});

Deno.test("stderr is the journal only if device and inode match JOURNAL_STREAM", () => {
  const path = Deno.makeTempFileSync();
  const descriptor = openSync(path, "r");
  try {
    const { dev, ino } = statSync(path, { bigint: true });
    assert.equal(isJournal(`${dev}:${ino}`, descriptor), true);
    for (const value of [undefined, "", `${dev}:${ino + 1n}`, `${dev + 1n}:${ino}`, "x"]) {
      assert.equal(isJournal(value, descriptor), false, value);
    }
  } finally {
    closeSync(descriptor);
    Deno.removeSync(path);
  }
});

Deno.test("a descriptor that accepts few bytes at a time gets whole lines in order", async () => {
  let taken = Buffer.alloc(0);
  const { log, drained } = bench({
    write: (bytes) => {
      const part = bytes.subarray(0, 7);
      taken = Buffer.concat([taken, part]);
      return Promise.resolve(part.length);
    },
  });
  for (const count of [1, 2, 3]) log("INFO", "x", "y", { count });
  await drained(1_000);
  const lines = taken.toString().trim().split("\n").map((line) => JSON.parse(line).count);
  assert.deepEqual(lines, [1, 2, 3]);
});

Deno.test("an unread pipe loses lines without blocking, and their number is logged afterwards", async () => {
  const written: string[] = [];
  const reader = Promise.withResolvers<void>();
  const write = async (bytes: Uint8Array) => {
    await reader.promise;
    written.push(new TextDecoder().decode(bytes));
    return bytes.length;
  };
  const writer = new LineWriter(write, (lost) => `lost ${lost}\n`, 30);
  for (let n = 0; n < 10; n++) writer.line(`line ${n}...\n`);
  assert.equal(writer.lost, 7);
  await writer.drained(20);
  assert.deepEqual(written, [], "waiting is bounded");
  reader.resolve();
  await writer.drained(1_000);
  assert.deepEqual(written, ["line 0...\n", "line 1...\n", "line 2...\n", "lost 7\n"]);
  assert.equal(writer.lost, 0);
});

Deno.test("a slow reader gets all lines at the end; only a stalled one loses lines", async () => {
  const written: string[] = [];
  const bound = 20;
  const write = async (bytes: Uint8Array) => {
    await new Promise((resolve) => setTimeout(resolve, bound / 2));
    written.push(new TextDecoder().decode(bytes));
    return bytes.length;
  };
  const writer = new LineWriter(write, (lost) => `lost ${lost}\n`);
  const lines = Array.from({ length: 10 }, (_, n) => `line ${n}\n`);
  for (const line of lines) writer.line(line);
  await writer.drained(bound);
  assert.deepEqual(written, lines);
});

Deno.test("a closed pipe loses log lines and has no other effect", async () => {
  let closed = true;
  const written: string[] = [];
  const { log, drained } = bench({
    write: (bytes) => {
      if (closed) return Promise.reject(new Deno.errors.BrokenPipe("Broken pipe"));
      written.push(new TextDecoder().decode(bytes));
      return Promise.resolve(bytes.length);
    },
  });
  log("INFO", "first", "y");
  log("INFO", "second", "y");
  await drained(1_000);
  closed = false;
  log("INFO", "third", "y");
  await drained(1_000);
  const events = written.join("").trim().split("\n").map((line) => JSON.parse(line));
  assert.deepEqual(events.map(({ event, count }) => [event, count]), [["third", undefined], [
    "log.lost",
    2,
  ]]);
});

Deno.test("the schema accepts the lines of the log, and none with missing or extra fields", async () => {
  const { log, lines } = bench();
  const exportId = "019b76da-a800-7000-8000-000000000000";
  log("INFO", "export.queued", "export queued", { exportId, profile: "p", tenant: "lab" });
  const text = (await lines()).join("\n");
  assert.equal(linesOf(text).length, 1);
  const line = JSON.parse(text);
  const { tenant: _, ...homeless } = line;
  const { event: __, ...unnamed } = line;
  const faults: [unknown, RegExp][] = [
    [{ ...line, secret: "x" }, /secret/],
    [{ ...line, severityNumber: 17 }, /not that of the text/],
    [homeless, /its profile and its tenant/],
    [unnamed, /event/],
    [{ ...line, stage: "elsewhere" }, /stage/],
  ];
  for (const [broken, why] of faults) {
    assert.throws(() => linesOf(JSON.stringify(broken)), { message: why });
  }
});
