/** The tables of errors are closed, complete and match the errors page. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  type ErrorKind,
  errorRecord,
  exitCodes,
  kindNamed,
  kindOf,
  messageOf,
  type Reason,
  reasonNamed,
  reasonOfStatus,
  reasons,
  statusOf,
  StellaError,
  worstExitCode,
  worstOf,
} from "../../src/domain/errors.ts";
import { ioError, uncaughtIoError } from "../../src/domain/io_errors.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const all = Object.entries(reasons).flatMap(([kind, names]) =>
  names.map((reason) => ({ kind: kind as ErrorKind, reason: reason as Reason }))
);

Deno.test("each reason belongs to one kind, and each kind has at least one", () => {
  assert.equal(new Set(all.map(({ reason }) => reason)).size, all.length);
  for (const { kind, reason } of all) {
    assert.equal(kindOf(reason), kind);
    assert.equal(reasonNamed(reason), reason);
    assert.equal(new StellaError(reason, "x").exitCode, exitCodes[kind]);
  }
  const { ok: _, ...kinds } = exitCodes;
  assert.deepEqual(Object.keys(reasons), Object.keys(kinds));
});

/** Reasons of trust over time, which verification does not raise yet; metrics list them already. */
const later: readonly string[] = ["key_revoked", "threshold_not_met"];

Deno.test("each reason is raised somewhere", () => {
  const lists = ["domain/errors.ts", "domain/labels.ts"];
  const text = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" })
    .filter((path) => /\.tsx?$/.test(path) && !lists.includes(path))
    .map((path) => readFileSync(join(root, "src", path), "utf8"))
    // In the files with the lists, only the code after them: errno and status decide at run time.
    .concat(readFileSync(join(root, "src/domain/errors.ts"), "utf8").split("new Map")[1] ?? "")
    .join("\n");
  const known = all.map(({ reason }) => reason).filter((reason) => !later.includes(reason));
  assert.deepEqual(known.filter((reason) => !text.includes(`"${reason}"`)), []);
});

Deno.test("the worst kind decides the exit code: 3 4 11 9 8 7 10 6 5", () => {
  const order: ErrorKind[] = [];
  const left = new Set(Object.keys(reasons) as ErrorKind[]);
  for (;;) {
    const worst = worstOf([...left].reverse());
    if (worst === undefined || order.length === 9) break;
    order.push(worst);
    left.delete(worst);
  }
  assert.deepEqual(order.map((kind) => exitCodes[kind]), [3, 4, 11, 9, 8, 7, 10, 6, 5]);
  assert.equal(worstOf([]), undefined);
  assert.equal(worstOf(["io", "untrusted"]), "untrusted");
  assert.equal(worstOf(["io", "remote"]), "io", "none is about content: the first one");
  assert.equal(worstExitCode([0, 5, 12, 7, 11]), 11);
  assert.equal(worstExitCode([0, 13, 12]), 13);
  assert.equal(worstExitCode([0, 0]), 0);
});

Deno.test("the status depends on the reason if it has one, otherwise on the kind", () => {
  const cases: [Reason, number][] = [
    ["queue_full", 429],
    ["service_stopping", 503],
    ["no_space", 507],
    ["medium_failed", 500],
    ["idempotency_key_reused", 422],
    ["state_conflict", 409],
    ["token_missing", 401],
    ["scope_missing", 403],
    ["argument_invalid", 400],
    ["configuration_invalid", 500],
  ];
  for (const [reason, status] of cases) assert.equal(statusOf(reason), status, reason);
});

Deno.test("a response without a problem document gets the kind of its status", () => {
  for (const status of [400, 401, 403, 404, 409, 413, 415, 416, 421, 429, 431, 503, 507]) {
    assert.equal(statusOf(reasonOfStatus(status)), status);
  }
  for (const status of [302, 405, 500, 502, 504]) {
    assert.equal(kindOf(reasonOfStatus(status)), "remote", `${status}`);
  }
});

Deno.test("kind names of earlier builds are recognized, and no other names", () => {
  const former = { internal: 1, digest: 7, base: 11, media: 12, registry: 13, busy: 14 };
  for (const [name, code] of Object.entries(former)) {
    const kind = kindNamed(name);
    assert.ok(kind !== undefined);
    assert.equal(exitCodes[kind], code, name);
  }
  for (const name of ["ok", "toString", "", 14, null, undefined]) {
    assert.equal(kindNamed(name), undefined);
  }
  assert.equal(reasonNamed("constructor"), undefined);
});

Deno.test("a reworded error keeps its kind, reason and findings", () => {
  const findings = [{ kind: "unsafe", reason: "unsafe_name", path: "a" }] as const;
  const error = new StellaError("unsafe_name", "Cannot pack", { findings, hint: "rename it" });
  const reported = error.reworded("Cannot export: Cannot pack", { hint: "rename it, then export" });
  assert.deepEqual(
    [reported.kind, reported.reason, reported.findings, reported.hint, reported.cause],
    ["unsafe", "unsafe_name", findings, "rename it, then export", error],
  );
  assert.equal(error.reworded("other").hint, "rename it");
  const remote = new StellaError("digest_mismatch", "x", { kind: "remote" });
  assert.equal(remote.reworded("y").exitCode, 13);
});

Deno.test("an error becomes a record of code, reason, message and hint", () => {
  const error = new StellaError("medium_failed", "Cannot write", { hint: "free space" });
  assert.deepEqual(errorRecord(error), {
    code: "io",
    reason: "medium_failed",
    message: "Cannot write",
    hint: "free space",
  });
  const defect = { code: "defect", reason: "defect", message: "thrown text" };
  assert.deepEqual(errorRecord("thrown text"), defect);
});

Deno.test("a path error is classified by its errno, never by its text", () => {
  const wrapped = (code: string, message = "ENOENT: no such file") =>
    ioError("Cannot read", "x", Object.assign(new Error(message), { code }));
  assert.deepEqual(
    ["ENOENT", "EACCES", "ENOSPC", "EROFS", "EIO", "EMFILE", "EEXIST", ""].map((code) =>
      wrapped(code).reason
    ),
    [
      "path_missing",
      "permission_denied",
      "no_space",
      "read_only",
      "medium_failed",
      "too_many_open_files",
      "output_exists",
      "path_unusable",
    ],
  );
  assert.equal(uncaughtIoError(new Error("ENOSPC: no space left, write '/x'")), undefined);
  const bare = Object.assign(new Error("No such file (os error 2): open '/x y'"), {
    code: "ENOENT",
  });
  assert.equal(uncaughtIoError(bare)?.message, 'Cannot use "/x y": no such file or directory');
});

Deno.test("paths that Deno never opens (/dev, /proc, /sys) are reported by their class", () => {
  const refused = (path: string) =>
    new Deno.errors.NotCapable(`Requires all access to "${path}", run again`);
  const error = ioError("Cannot write", "link/x", refused("/dev/shm/x"));
  assert.deepEqual([error.kind, error.reason], ["usage", "path_reserved"]);
  assert.equal(uncaughtIoError(refused("/proc/self/environ"))?.reason, "path_reserved");
  assert.equal(uncaughtIoError(refused("/home/x")), undefined, "a permission that we lack");
  assert.equal(uncaughtIoError(new Error(refused("/dev/x").message)), undefined);
});

/** The cells of the rows of the tables of a Markdown page. */
function rowsOf(page: string): string[][] {
  return page.split("\n").filter((line) => /^\| `/.test(line))
    .map((line) => line.split("|").slice(1, -1).map((cell) => cell.trim()));
}

Deno.test("the errors page lists every kind and every reason with code and status", () => {
  const rows = rowsOf(readFileSync(join(root, "src/docs/errors.md"), "utf8"));
  const kinds = rows.filter((row) => row.length === 4);
  const { ok: _, ...codes } = exitCodes;
  assert.deepEqual(
    kinds.map(([name, code]) => [name, code]),
    Object.entries(codes).map(([kind, code]) => [`\`${kind}\``, String(code)]),
  );
  const listed = rows.filter((row) => row.length === 3);
  const expected = all.map(({ reason }) => [`\`${reason}\``, String(statusOf(reason))]);
  assert.deepEqual(listed.map(([reason, status]) => [reason, status]), expected);
  for (const row of rows) assert.ok((row.at(-1) ?? "").length > 10, row[0]);
});

Deno.test("no @throws comment uses a kind name of earlier builds", () => {
  const former =
    /@throws StellaError[^.*@]*\b(media|internal|registry|digest|base)\b(?=,| if| or|$)/m;
  const root = new URL("../../src/", import.meta.url);
  const found = readdirSync(root, { recursive: true }).map(String)
    .filter((path) => path.endsWith(".ts"))
    .flatMap((path) =>
      readFileSync(new URL(path, root), "utf8").split("\n")
        .filter((line) => former.test(line)).map((line) => `${path}: ${line.trim()}`)
    );
  assert.deepEqual(found, []);
});

Deno.test("the message of an error is never empty, so that no line ends with a colon", () => {
  const refused = Object.assign(new Error("refused"), { code: "ECONNREFUSED" });
  const cases: [unknown, string][] = [
    [new Error("x"), "x"],
    ["x", "x"],
    [new AggregateError([refused, refused]), "refused; refused"],
    [Object.assign(new AggregateError([]), { code: "ECONNREFUSED" }), "ECONNREFUSED"],
    [new TypeError(), "TypeError"],
  ];
  for (const [thrown, text] of cases) assert.equal(messageOf(thrown), text);
});
