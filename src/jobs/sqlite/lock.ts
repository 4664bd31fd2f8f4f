/** Locks the state directory: an exclusive flock, which ends with the process. */
import { lstatSync, statSync } from "node:fs";
import { join } from "node:path";
import { StellaError } from "../../domain/errors.ts";
import { ioError } from "../../domain/io_errors.ts";

export interface Lock {
  /** Whether the lock file is still the one we hold: it may have been removed. */
  isHeld(): boolean;
  release(): void;
}

/**
 * Locks the state directory, creating it if needed, or fails at once. The file `lock` contains the
 * process id, for operators.
 * @throws StellaError conflict if another process holds it, config if an entry is a link; io
 */
export async function takeLock(state: string): Promise<Lock> {
  const path = join(state, "lock");
  const file = await open(state, path);
  try {
    if (!await file.tryLock(true)) throw taken(path);
    await file.truncate();
    await file.write(new TextEncoder().encode(`${Deno.pid}\n`));
  } catch (error) {
    file.close();
    throw error instanceof StellaError ? error : ioError("Cannot lock", path, error);
  }
  return lockOn(file, path);
}

/** Everything that a service creates in its state directory. */
const made = ["lock", "stella.db", "stella.db-wal", "stella.db-shm", "keys", "store", "tmp"];

/** Through a planted link the service could truncate, fill or sign with a foreign file. */
function refuseLinks(state: string): void {
  for (const path of made.map((name) => join(state, name))) {
    if (!lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink()) continue;
    const text = `Cannot use ${JSON.stringify(path)}: it is a symbolic link`;
    throw new StellaError("state_invalid", text, {
      hint: "mount a disk there instead, or move the whole directory (STELLA_DATA)",
    });
  }
}

async function open(state: string, path: string): Promise<Deno.FsFile> {
  try {
    await Deno.mkdir(state, { recursive: true, mode: 0o700 });
    refuseLinks(state);
    return await Deno.open(path, { read: true, write: true, create: true, mode: 0o600 });
  } catch (error) {
    throw error instanceof StellaError ? error : ioError("Cannot lock", path, error);
  }
}

function lockOn(file: Deno.FsFile, path: string): Lock {
  const inode = file.statSync().ino;
  return {
    isHeld: () => statSync(path, { throwIfNoEntry: false })?.ino === inode,
    // The file is kept: removing it would allow two processes to lock two files with the same name.
    release: () => file.close(),
  };
}

function taken(path: string): StellaError {
  const holder = Deno.readTextFileSync(path).trim();
  const who = /^\d+$/.test(holder) ? `process ${holder}` : "another process";
  return new StellaError("lock_held", `Cannot use ${JSON.stringify(path)}: ${who} holds it`, {
    hint:
      "stop the other stella process that uses this state directory, or set STELLA_DATA to another one",
  });
}
