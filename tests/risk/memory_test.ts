/**
 * Memory of a record is bounded by what is kept of it, whatever the file holds: each is read by a
 * process with a small heap.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { engineFlags } from "../../src/config/permissions.ts";
import { csaf, osv } from "../support/risk_records.ts";
import { isLong } from "../support/needs.ts";

const probe = fileURLToPath(new URL("memory_probe.ts", import.meta.url));
const config = fileURLToPath(new URL("../../deno.json", import.meta.url));
const mebibyte = 1024 * 1024;
/** The unit of the service has MemoryMax=1G, and a service has more to do than this. */
const max = 256;

interface Printed {
  error: string[];
  records?: number;
  mebibytes: number;
}

/** Reads a file made of `parts`, each `[text, times]`. */
async function read(kind: string, parts: [string, number][], onInvalid = "fail"): Promise<Printed> {
  const directory = Deno.makeTempDirSync({ prefix: "stella-risk-large-" });
  try {
    const path = join(directory, "record.json");
    write(path, parts);
    return await probed(kind, onInvalid === "fail" ? path : directory, onInvalid);
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
}

async function probed(kind: string, path: string, onInvalid: string): Promise<Printed> {
  const flags = `${engineFlags},--max-heap-size=${max}`;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", "--no-check", `--config=${config}`, flags, probe].concat(
      [kind, path, onInvalid],
    ),
    env: { OTEL_DENO: "false" },
    stdout: "piped",
    stderr: "piped",
  });
  const { code, stdout, stderr } = await child.output();
  assert.equal(code, 0, new TextDecoder().decode(stderr).slice(-2000));
  return JSON.parse(new TextDecoder().decode(stdout));
}

function write(path: string, parts: [string, number][]): void {
  using file = Deno.openSync(path, { write: true, createNew: true });
  for (const [text, times] of parts) {
    const atOnce = Math.max(1, Math.min(times, Math.ceil(mebibyte / text.length)));
    const bytes = new TextEncoder().encode(text.repeat(atOnce));
    let left = times;
    for (; left >= atOnce; left -= atOnce) writeAll(file, bytes);
    writeAll(file, new TextEncoder().encode(text.repeat(left)));
  }
}

function writeAll(file: Deno.FsFile, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length;) at += file.writeSync(bytes.subarray(at));
}

/** More than a process may keep: several times each limit for values and text. */
const size = (isLong ? 57 : 24) * mebibyte;
const head = '{"id":"X-1","modified":"2025-01-01T00:00:00Z",';
const objects = Math.floor(size / 3);
const hostile: [string, string, [string, number][], RegExp][] = [
  ["brackets", "osv", [["[", size]], /is nested deeper than 100 levels/],
  ["brackets", "csaf", [["[", size]], /is nested deeper than 100 levels/],
  ["brackets", "kev", [["[", size]], /is nested deeper than 100 levels/],
  ["empty objects", "osv", [["[", 1], ["{},", objects], ["{}]", 1]], /is not an object/],
  [
    "empty packages",
    "osv",
    [[`${head}"affected":[`, 1], ["{},", objects], ["{}]}", 1]],
    /holds more than \d+ values/,
  ],
  [
    "empty vulnerabilities",
    "csaf",
    [['{"vulnerabilities":[', 1], ["{},", objects], ["{}]}", 1]],
    /holds more than \d+ values/,
  ],
  [
    "empty entries",
    "kev",
    [['{"vulnerabilities":[', 1], ["{},", objects], ["{}]}", 1]],
    /holds more than \d+ values/,
  ],
  ["a long text", "osv", [[`${head}"summary":"`, 1], ["a", size], ['"}', 1]], /characters of text/],
  [
    "aliases",
    "osv",
    [[`${head}"aliases":[`, 1], ['"A-1",', Math.floor(objects / 2)], ["1]}", 1]],
    /values/,
  ],
];
/** Without STELLA_TEST_LONG one of each way to be large. */
const few = ["brackets osv", "empty packages osv", "empty vulnerabilities csaf", "a long text osv"];
const tried = hostile.filter(([what, kind]) => isLong || few.includes(`${what} ${kind}`));
for (const [what, kind, parts, expected] of tried) {
  Deno.test(`${size / mebibyte} MiB of ${what} as ${kind.toUpperCase()} are one bad record, in bounded memory`, async () => {
    // Both ways a record can be refused, in turn.
    const onInvalid = kind === "osv" ? "fail" : "skip";
    const { error, mebibytes } = await read(kind, parts, onInvalid);
    assert.match(error.join("\n"), expected);
    assert.ok(mebibytes <= max, `${mebibytes} MiB`);
  });
}

Deno.test("skipped parts of a valid record use no memory for any length", async () => {
  const parts: [string, number][] = [
    [osv("GO-1").slice(0, -1) + ',"database_specific":[', 1],
    ["{},", objects],
    ['{"a":"', 1],
    ["a", size],
    ['"}]}', 1],
    [" ", size],
  ];
  const { error, records, mebibytes } = await read("osv", parts);
  assert.deepEqual([error, records], [[], 1]);
  // Each of the parts that are not kept would take this much by itself.
  const alone = await read("osv", [[osv("GO-1"), 1]]);
  assert.ok(mebibytes - alone.mebibytes < size / mebibyte, `${alone.mebibytes} ${mebibytes} MiB`);
});

const [count, long] = isLong ? [190_000, 150 * mebibyte] : [60_000, 50 * mebibyte];
Deno.test(`CSAF of ${long / mebibyte} MiB with ${count} products of one vulnerability is read, in bounded memory`, async () => {
  const product = (i: number) => `BaseOS-8.0.0.Z:kernel-tools-${i}-0:4.18.0-80.el8.x86_64`;
  const [before, after] = csaf("R-1", []).split('"full_product_names":[');
  const parts: [string, number][] = [[`${before}"relationships":[`, 1]];
  for (let i = 0; i < count; i++) {
    const name =
      `kernel-tools-${i}-0:4.18.0-80.el8.x86_64 as a component of the base OS, version 8`;
    const full = JSON.stringify({ name, product_id: product(i) });
    const relation = '"category":"default_component_of","full_product_name":';
    parts.push([`{${relation}${full},"product_reference":"kernel-tools-${i}"},`, 1]);
  }
  const ids = Array.from({ length: count }, (_, i) => JSON.stringify(product(i))).join(",");
  const rest = after?.slice(after.indexOf("]") + 1, -"]}".length);
  parts.push([`{}],"full_product_names":[]${rest}`, 1]);
  parts.push([`{"cve":"CVE-2025-0001","product_status":{"known_affected":[${ids}]},`, 1]);
  parts.push([`"remediations":[{"product_ids":[${ids}]},{"product_ids":[${ids}]}],`, 1]);
  parts.push([`"scores":[{"products":[${ids}]}],"threats":[{"product_ids":[${ids}]}]}]}`, 1]);
  const written = parts.reduce((sum, [text, times]) => sum + text.length * times, 0);
  parts.push(["\n", Math.max(0, long - written)]);
  const { error, records, mebibytes } = await read("csaf", parts);
  assert.deepEqual([error, records], [[], 1]);
  assert.ok(mebibytes <= max, `${mebibytes} MiB`);
});

Deno.test("a record that would fill the disk when copied to all its CVEs is a bad record", async () => {
  const cves = (count: number) =>
    Array.from({ length: count }, (_, i) => `"CVE-2025-${10_000 + i}"`).join(",");
  const many = [[`${head}"upstream":[${cves(10_001)}]}`, 1]] as [string, number][];
  assert.match((await read("osv", many)).error.join("\n"), /names more than 10000 ids/);
  const versions = `"affected":[{"versions":["${"1".repeat(100_000)}"]}]}`;
  const large = [[`${head}"upstream":[${cves(9_000)}],${versions}`, 1]] as [string, number][];
  assert.match((await read("osv", large)).error.join("\n"), /would take more than 536870912/);
});

Deno.test("many records of one CVE are limited to the memory of one line, and the rest is reported", async () => {
  const directory = Deno.makeTempDirSync({ prefix: "stella-risk-many-" });
  try {
    const versions = JSON.stringify(Array.from({ length: 200_000 }, (_, i) => `${i}.0.0-beta`));
    for (let i = 1; i <= 9; i++) {
      const text = `{"id":"X-${i}","modified":"2025-01-01T00:00:00Z","aliases":["CVE-2025-0001"],` +
        `"affected":[{"versions":${versions}}]}`;
      Deno.writeTextFileSync(join(directory, `${i}.json`), text);
    }
    const { error, mebibytes } = await probed("osv", directory, "fail");
    assert.match(
      error.join("\n"),
      /X-\d+ does not fit on the line of CVE-2025-0001, which is full/,
    );
    assert.ok(mebibytes <= max, `${mebibytes} MiB`);
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
});
