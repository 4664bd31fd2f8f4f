/**
 * Clock, randomness, environment, permissions and facts of the process come from main.ts, which
 * hands them on: so a test can replace each of them, and a reader finds them where they are used.
 */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));

/** What only main.ts asks the system for. */
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

/** Files with a reason of their own, and how often each may. */
const exceptions: Record<string, number> = {
  // Key material never comes from a source that can be replaced.
  "src/attest/secret.ts": 1,
  "src/attest/sign/encrypted_key.ts": 2,
  // Nobody may predict which names of a bundle share a hash, a test neither.
  "src/bundle/case_collisions.ts": 1,
  // It is a proof that the permission is gone, by asking for it.
  "src/verify/confine.ts": 1,
  // Which program this is and where it lies, once for the process.
  "src/domain/version.ts": 4,
  // The number of the process that holds the lock, for whoever is refused.
  "src/jobs/sqlite/lock.ts": 1,
  // systemd names the process that its watchdog is for.
  "src/telemetry/notify.ts": 1,
  // CPU time and memory of this process are what is measured.
  "src/telemetry/metrics.ts": 2,
  // The name of this machine: hosts that requests may name, and who sends logs and traces.
  "src/service/service.ts": 1,
  "src/service/resources.ts": 1,
  // As the package that it stands for.
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

Deno.test("only main.ts asks the system for time, randomness, environment, permissions and the process", () => {
  const files = filesIn("src").filter((file) => !file.startsWith("src/build/"));
  const found = files.map((file) => [file, usesIn(file)] as const).filter(([, uses]) => uses > 0);
  assert.deepEqual(Object.fromEntries(found), exceptions);
  assert.ok(files.length > 200 && usesIn("main.ts") >= 5, "the pattern finds the uses");
});
