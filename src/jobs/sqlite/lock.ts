/** One service per state directory: an exclusive flock, which the kernel drops when the process ends, however it ends. */
import { lstatSync, statSync } from "node:fs";
import { join } from "node:path";
import { ioError, StellaError } from "../../domain/errors.ts";

export interface Lock {
  /** Whether the file that others would lock is still the one we hold: it may have been removed under us. */
  isHeld(): boolean;
  release(): void;
}

/**
 * Takes the lock of the state directory `state`, which is made where it is missing, or fails at
 * once. The file `lock` holds the number of the process that has it, for people.
 * @throws StellaError conflict where another process holds it, usage where what lies in the
 * directory is a link; media
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

/** All that a service makes in its state directory. */
const made = ["lock", "stella.db", "stella.db-wal", "stella.db-shm", "keys", "store", "tmp"];

/** A link would have the service truncate, fill or sign with what whoever put it there has chosen. */
function refuseLinks(state: string): void {
  for (const path of made.map((name) => join(state, name))) {
    if (!lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink()) continue;
    throw new StellaError("usage", `Cannot use ${JSON.stringify(path)}: it is a symbolic link`, {
      hint:
        "what is in the state directory has to lie there itself: mount a disk there, or move the whole directory (STELLA_DATA)",
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
    // The file stays: removing it would let two processes hold a lock on two files of one name.
    release: () => file.close(),
  };
}

function taken(path: string): StellaError {
  const holder = Deno.readTextFileSync(path).trim();
  const who = /^\d+$/.test(holder) ? `process ${holder}` : "another process";
  return new StellaError("conflict", `Cannot use ${JSON.stringify(path)}: ${who} holds it`, {
    hint: "stop the other stella that uses this state directory, or set STELLA_DATA to another one",
  });
}
