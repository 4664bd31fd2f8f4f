/**
 * Clock, randomness, environment, permissions and process information come from main.ts, which
 * passes them on, so that a test can replace each of them and a reader sees where they are used.
 */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));

/** The system calls that only main.ts may use. */
const sources = new RegExp(
  [
    String.raw`\bDate\.now\b`,
    String.raw`\bnew Date\(\)`,
    String.raw`\bperformance\.now\b`,
    String.raw`\bMath\.random\b`,
    String.raw`\brandomUUID\b`,
    String.raw`\bgetRandomValues\b`,
    String.raw`\brandomBytes\b`,
    String.raw`\bDeno\.(?:permissions|env|hostname|pid|ppid|execPath|cwd|args|uid|gid)\b`,
    String.raw`\bprocess\.\w+`,
  ].join("|"),
  "g",
);

/** Files with a reason to use them, and how often each may. */
const exceptions: Record<string, number> = {
  // Key material never comes from a source that can be replaced.
  "src/attest/secret.ts": 1,
  "src/attest/sign/encrypted_key.ts": 2,
  // Nobody may predict which names of a bundle share a hash, not even a test.
  "src/bundle/case_collisions.ts": 1,
  // It proves that the permission has been dropped by querying it.
  "src/verify/confine.ts": 1,
  // The program and its location, determined once per process.
  "src/domain/version.ts": 4,
  // The ID of the process that holds the lock, for the error message of other processes.
  "src/jobs/sqlite/lock.ts": 1,
  // systemd passes the ID of the process that its watchdog monitors.
  "src/telemetry/notify.ts": 1,
  // CPU time and memory of this process are measured.
  "src/telemetry/metrics.ts": 2,
  // The host name, for the hosts that requests may use and as the source of logs and traces.
  "src/service/service.ts": 1,
  "src/service/resources.ts": 1,
  // Like the package that it replaces.
  "src/std/tar/header.ts": 1,
};

function filesIn(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => /\.tsx?$/.test(name))
    .map((name) => `${folder}/${name}`);
}

function usesIn(file: string): number {
  const code = readFileSync(join(root, file), "utf8")
    .replace(/^import .*$/gm, "")
    .replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, "");
  return [...code.matchAll(sources)].length;
}

Deno.test("only main.ts reads time, randomness, environment, permissions and process information from the system", () => {
  const files = filesIn("src").filter((file) => !file.startsWith("src/build/"));
  const found = files.map((file) => [file, usesIn(file)] as const).filter(([, uses]) => uses > 0);
  assert.deepEqual(Object.fromEntries(found), exceptions);
  assert.ok(files.length > 200 && usesIn("main.ts") >= 5, "the pattern finds the uses");
});
