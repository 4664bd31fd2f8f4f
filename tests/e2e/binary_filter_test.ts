/**
 * The binary under the limits of its systemd units: system call filter, address families, no
 * writable and executable memory.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { tool } from "../support/needs.ts";
import { Service } from "../support/program.ts";
import {
  type BinaryPlace,
  binaryTest,
  form,
  kernel,
  runWith,
  sameMachine,
} from "./binary_place.ts";

/** The path of a unit as the binary writes it. */
async function written({ home }: BinaryPlace, unit: string): Promise<string> {
  await home.succeed(["assets", "write", "--only", "systemd", "units"]);
  return join(home.path, "units", unit);
}

/** The values of a setting in the unit at `path`, in order. */
function settings(path: string, name: string): string[] {
  const lines = readFileSync(path, "utf8").split("\n");
  return lines.filter((line) => line.startsWith(`${name}=`)).map((line) =>
    line.slice(name.length + 1)
  );
}

/** Expands a set such as @system-service to single system calls. */
function callsOf(name: string): string[] {
  if (!name.startsWith("@")) return [name];
  const { stdout } = spawnSync(tool("systemd-analyze")!, ["syscall-filter", "--no-pager", name]);
  const lines = stdout.toString().split("\n").slice(1).map((line) => line.trim());
  return lines.filter((line) => line !== "" && !line.startsWith("#")).flatMap(callsOf);
}

/** systemd.exec(5): the first line allows, a later one with ~ takes away. */
function allowedBy(unit: string): string[] {
  const allowed = new Set(callsOf("@default"));
  for (const line of settings(unit, "SystemCallFilter")) {
    const takesAway = line.startsWith("~");
    for (const call of line.replace("~", "").split(" ").flatMap(callsOf)) {
      if (takesAway) allowed.delete(call);
      else allowed.add(call);
    }
  }
  return [...allowed].sort();
}

/** A program that runs another one under the unit's filter. */
function filterOf(unit: string, home: string): string {
  const calls = allowedBy(unit).filter((call) => call !== "socket");
  assert.ok(calls.includes("pkey_alloc") && !calls.includes("pivot_root"), "a strange list");
  const names = calls.map((call) => `#ifdef SYS_${call}\nSYS_${call},\n#endif\n`);
  writeFileSync(join(home, "allowed.h"), names.join(""));
  const families = settings(unit, "RestrictAddressFamilies").flatMap((line) => line.split(" "))
    .filter((family) => family !== "none");
  writeFileSync(join(home, "families.h"), families.map((family) => `${family},\n`).join(""));
  return compiled("fixture/filter.c", join(home, "filter"), [`-I${home}`]);
}

function compiled(source: string, output: string, options: string[] = []): string {
  const path = new URL(source, import.meta.url).pathname;
  const { status, stderr } = spawnSync(tool("cc")!, [...options, "-o", output, path]);
  assert.equal(status, 0, stderr.toString());
  return output;
}

const needed = ["cc", "systemd-analyze"];
const verifier = "stella-verify@.service";

Deno.test(binaryTest(
  needed,
  "under the limits of the verifier's unit the verdict is the same",
  async (place) => {
    const { stella, home, bundle, key } = place;
    const unit = await written(place, verifier);
    const filter = filterOf(unit, home.path);
    const guard = compiled("../build/fixture/mdwe.c", join(home.path, "guard"));
    const isGuarded = settings(unit, "MemoryDenyWriteExecute").join() === "yes";
    assert.equal(isGuarded, form === "portable");
    const args = ["verify", bundle, "--trust", key, "--json"];
    const trusted = runWith({}, stella, args);
    const printed = runWith({}, filter, [...isGuarded ? [guard] : [], stella, ...args]);
    assert.deepEqual([printed.code, printed.stderr], [0, ""]);
    assert.deepEqual(JSON.parse(printed.stdout), JSON.parse(trusted.stdout));
    // Proves that the filter works: a program that needs executable memory ends under it, as a
    // compiled binary does.
    const words = isGuarded ? [Deno.execPath(), "eval", "0"] : [stella, "version"];
    assert.notEqual(runWith({ DENO_DIR: "/dev/null/none" }, guard, words).code, 0);
  },
  { ...sameMachine, ...kernel(6, 3) }, // PR_SET_MDWE
));

Deno.test(binaryTest(needed, "a socket is refused under the verifier's filter", async (place) => {
  const filter = filterOf(await written(place, verifier), place.home.path);
  const line = "try { Deno.listen({ port: 0 }); } catch (error) { console.log(error.message); }";
  const printed = runWith({ DENO_DIR: "/dev/null/none" }, filter, [Deno.execPath(), "eval", line]);
  assert.match(printed.stdout, /family not supported/i);
}, sameMachine));

Deno.test(binaryTest(
  needed,
  "under the service's filter the binary serves, exports on a worker and stops",
  async (place) => {
    const { stella, home } = place;
    const unit = await written(place, "stella.service");
    const service = await startFiltered(filterOf(unit, home.path), place);
    try {
      const job = await service.export({ profile: "kit" });
      assert.equal(job.state, "succeeded", JSON.stringify(job));
      assert.equal((await service.get("/health/readiness")).status, "pass");
      assert.ok(readFileSync(`/proc/${service.child.pid}/status`, "utf8").includes("Seccomp:\t2"));
      assert.equal(Deno.readLinkSync(`/proc/${service.child.pid}/exe`), stella);
    } finally {
      assert.equal(await service.stop(), 0);
    }
  },
  sameMachine,
));

async function startFiltered(filter: string, { stella, home }: BinaryPlace): Promise<Service> {
  const child = new Deno.Command(filter, {
    args: [stella, "serve", "--listen", "127.0.0.1:0"],
    env: { STATE_DIRECTORY: join(home.path, "service") },
    clearEnv: true,
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  return await new Service(child).answers();
}
