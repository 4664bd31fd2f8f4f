/** The readiness checks: each says what it tries, and fails with what it found. */
import type { Clocks } from "../domain/time.ts";
import { X509Certificate } from "node:crypto";
import { open, readFile, rename, rm, statfs } from "node:fs/promises";
import { join } from "node:path";
import { messageOf } from "../domain/errors.ts";
import type { Profile, RegistryConfig } from "../config/profile.ts";
import { writableSources } from "../config/source_writers.ts";
import type { Lock } from "../jobs/sqlite/lock.ts";
import type { JobQueue } from "../jobs/job_queue.ts";
import type { Check, CheckResult, CheckState } from "./readiness.ts";

const probeSize = 4096;

export function storageWrite(
  directory: string,
  random: (bytes: Uint8Array<ArrayBuffer>) => Uint8Array,
): Check {
  return {
    name: "storage:write",
    limit: 2_000,
    run: async () => {
      const path = join(directory, ".readiness");
      const bytes = random(new Uint8Array(probeSize));
      try {
        await writeSynced(`${path}.new`, bytes);
        await rename(`${path}.new`, path);
        const same = (await readFile(path)).equals(bytes);
        return same ? { status: "pass" } : { status: "fail", output: "read back other bytes" };
      } finally {
        await rm(path, { force: true });
      }
    },
  };
}

/** `onSpace` gets the figures in bytes. Warns below a tenth free, fails below a fiftieth. */
export function storageFree(
  directory: string,
  onSpace: (space: { free: number; size: number }) => void,
): Check {
  return {
    name: "storage:free",
    limit: 1_000,
    run: async () => {
      const { bavail, blocks, bsize } = await statfs(directory);
      onSpace({ free: bavail * bsize, size: blocks * bsize });
      const share = blocks === 0 ? 1 : bavail / blocks;
      const output = `${(share * 100).toFixed(1)} % free`;
      return { status: share < 0.02 ? "fail" : share < 0.1 ? "warn" : "pass", output };
    },
  };
}

export function databaseWrite(queue: Pick<JobQueue, "probe">): Check {
  return {
    name: "database:write",
    limit: 2_000,
    run: () => {
      queue.probe();
      return { status: "pass" };
    },
  };
}

export function lockHeld(lock: Pick<Lock, "isHeld">): Check {
  const lost: CheckResult = { status: "fail", output: "the lock file was removed or replaced" };
  return { name: "lock:held", limit: 1_000, run: () => lock.isHeld() ? { status: "pass" } : lost };
}

/** One check per registry. One that is down only warns as long as some profile does not need it. */
export function registryChecks(
  registries: readonly RegistryConfig[],
  profiles: readonly Profile[],
  ping: (registry: RegistryConfig, signal: AbortSignal) => Promise<void>,
): Check[] {
  const none: CheckResult = { status: "pass", output: "none configured" };
  if (registries.length === 0) return [{ name: "registry", limit: 1_000, run: () => none }];
  const configured = profiles.filter((one) => one.kind !== "kit");
  return registries.map((registry) => {
    const needed = configured.length > 0 && configured.every((one) => needs(one, registry.name));
    const down = needed ? "fail" : "warn";
    return {
      name: `registry:${registry.name}`,
      limit: 2_000,
      late: down,
      run: (signal) =>
        ping(registry, signal).then(
          () => ({ status: "pass" }),
          (error) => ({ status: down, output: messageOf(error) }),
        ),
    };
  });
}

const day = 86_400_000;
/** Days: enough to have a certificate renewed manually. */
const soon = 14;

/** The service's certificate, PEM text; warns two weeks before it expires, fails if not valid. */
export function certificateValid(certificate: () => string, now: () => number): Check {
  return {
    name: "tls:certificate",
    limit: 1_000,
    run: () => {
      const { validFrom, validTo } = new X509Certificate(certificate());
      const left = (Date.parse(validTo) - now()) / day;
      if (Date.parse(validFrom) > now()) {
        return { status: "fail", output: `it is not valid before ${validFrom}` };
      }
      if (left <= 0) return { status: "fail", output: `it expired at ${validTo}` };
      return { status: left < soon ? "warn" : "pass", output: `it expires at ${validTo}` };
    },
  };
}

/** Milliseconds; a clock that is being adjusted differs by less between two checks. */
const jitter = 1_000;

/**
 * A plausible clock: leases, schedules and ids depend on it, durations do not. Warns if it is
 * before the date of the build, and in the round in which it was set back.
 */
export function clockSane({ now, elapsed, buildDate, onSetBack }: Clocks & {
  /** RFC 3339, or `unknown`: a correct clock cannot be before it. */
  buildDate: string;
  onSetBack(): void;
}): Check {
  const built = Date.parse(buildDate);
  let last: { now: number; elapsed: number } | undefined;
  return {
    name: "clock:sane",
    limit: 1_000,
    run: () => {
      const seen = { now: now(), elapsed: elapsed() };
      const back = last === undefined ? 0 : seen.elapsed - last.elapsed - (seen.now - last.now);
      last = seen;
      if (back > jitter) {
        onSetBack();
        return { status: "warn", output: `the clock was set back by ${Math.round(back / 1000)} s` };
      }
      if (seen.now >= built || Number.isNaN(built)) return { status: "pass" };
      return { status: "warn", output: "the clock is before this build's date" };
    },
  };
}

/** Directories examined per source, and milliseconds between two examinations. */
const maxDirectories = 500;
const examineEvery = 10 * 60 * 1000;

/** Warns if others can write to sources. Without paths: callers need not know directories. */
export function sourceWriters(
  profiles: readonly Profile[],
  state: string,
  elapsed: () => number,
): Check {
  let last: { at: number; result: CheckResult } | undefined;
  const examined = (): CheckResult => {
    const writable = writableSources(profiles, state, maxDirectories);
    const list = [...new Set(writable.map((one) => one.profile))].join(", ");
    const output = `other users can write to sources of ${list}: see \`stella config check\``;
    return list === "" ? { status: "pass" } : { status: "warn", output };
  };
  return {
    name: "sources:writers",
    limit: 2_000,
    late: "warn",
    run: () => {
      if (last === undefined || elapsed() - last.at >= examineEvery) {
        last = { at: elapsed(), result: examined() };
      }
      return last.result;
    },
  };
}

/** What every export needs, whatever its profile. */
const common = ["storage:write", "storage:free", "database:write", "lock:held", "signing:key"];

/** The failing check that would keep an export of this profile from succeeding. */
export function blockedBy(
  states: readonly CheckState[],
  profile: Profile | undefined,
): string | undefined {
  return states.find(({ name, status }) => {
    if (common.includes(name)) return status === "fail";
    const [component, registry = ""] = name.split(":");
    return component === "registry" && status !== "pass" && profile !== undefined &&
      needs(profile, registry);
  })?.name;
}

function needs(profile: Profile, registry: string): boolean {
  return profile.targets.some((target) => "registry" in target && target.registry === registry);
}

export interface AttestationProbe {
  ok: boolean;
  detail: string;
  /** On failure: a reason as counted by the metric. */
  reason?: string;
}

/** `probe` verifies a known bundle and tampered copies: a verifier may not accept everything. */
export function attestationVerify(
  probe: () => Promise<AttestationProbe>,
  onResult: (probe: AttestationProbe) => void,
): Check {
  return {
    name: "attestation:verify",
    limit: 1_000,
    run: async () => {
      const result = await probe();
      onResult(result);
      return { status: result.ok ? "pass" : "fail", output: result.detail };
    },
  };
}

async function writeSynced(path: string, bytes: Uint8Array): Promise<void> {
  const file = await open(path, "w", 0o600);
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
}
