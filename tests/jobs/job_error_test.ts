import assert from "node:assert/strict";
import { type Finding, StellaError } from "../../src/domain/errors.ts";
import { jobError } from "../../src/jobs/job_error.ts";

const unsafe = (path: string): Finding => ({ kind: "unsafe", reason: "unsafe_name", path });
/** As the API returns it. */
const recorded = ({ kind, ...rest }: Finding) => ({ code: kind, ...rest });
const refused = (findings: Finding[]) =>
  new StellaError("unsafe_entry", "Cannot export", { findings });

Deno.test("an error carries all findings with their places", () => {
  const findings: Finding[] = [
    { ...unsafe("osv/CON"), found: "not every system can hold this name", hint: "rename it" },
    { kind: "usage", reason: "record_invalid", path: "osv/a.json", line: 3, found: "no id" },
  ];
  assert.deepEqual(jobError(refused(findings)), {
    code: "unsafe",
    reason: "unsafe_entry",
    message: "Cannot export",
    findings: findings.map(recorded),
  });
});

Deno.test("only the first findings are kept, with the number of the others", () => {
  const many = Array.from({ length: 1_000 }, (_, i) => unsafe(`osv/CON.${i}`));
  const { findings = [] } = jobError(refused(many));
  assert.deepEqual(findings.slice(0, 20), many.slice(0, 20).map(recorded));
  assert.deepEqual(findings.slice(20), [
    { code: "unsafe", reason: "more_findings", found: "980 more findings are not listed" },
  ]);
});

Deno.test("long texts are truncated, and their total size is limited", () => {
  const long = { ...unsafe(`a/${"b/".repeat(2_000)}CON`), found: "\u0001".repeat(9_000) };
  const { findings = [] } = jobError(refused(Array.from({ length: 50 }, () => long)));
  assert.match(findings[0]!.path!, /^\.\.\.[b/]{294}CON$/);
  assert.equal(findings[0]!.found, `${"\u0001".repeat(297)}...`);
  assert.equal(
    findings.at(-1)!.found,
    `${50 - (findings.length - 1)} more findings are not listed`,
  );
  assert.ok(JSON.stringify(findings).length < 5_000);
});

Deno.test("message and hint are truncated too, whatever was thrown", () => {
  const long = "x".repeat(90_000);
  const cut = `${"x".repeat(1_997)}...`;
  assert.deepEqual(jobError(new StellaError("unsafe_entry", long, { hint: long })), {
    code: "unsafe",
    reason: "unsafe_entry",
    message: cut,
    hint: cut,
  });
  assert.deepEqual(jobError(new Error(long)), {
    code: "defect",
    reason: "defect",
    message: cut,
  });
});

Deno.test("only the last part of a local path is shown", () => {
  const found = `Cannot read the input "/srv/secret/osv": ENOENT, lstat '/srv/secret/osv'`;
  const { findings = [] } = jobError(refused([{ ...unsafe("/srv/secret/osv"), found }]));
  assert.deepEqual(findings, [
    { ...recorded(unsafe("osv")), found: `Cannot read the input "osv": ENOENT, lstat 'osv'` },
  ]);
});

Deno.test("markers for programs are not shown as findings, and a finding without a code is internal", () => {
  const mark: Finding = { kind: "remote", reason: "timeout" };
  assert.deepEqual(jobError(new StellaError("rejected", "no answer", { findings: [mark] })), {
    code: "remote",
    reason: "rejected",
    message: "no answer",
  });
  assert.deepEqual(jobError(new Error("a bug")), {
    code: "defect",
    reason: "defect",
    message: "a bug",
  });
});
