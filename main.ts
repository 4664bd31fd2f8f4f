/**
 * The process edge: arguments, signals, exit code. Everything else is in src/cli and imported on
 * demand: the build stores the rest as text beside this module (src/build/lazy.ts). No node: module
 * is imported here, because the first one of a process costs as much as the rest of `stella
 * version`.
 */
import type { Host } from "./src/cli/host.ts";

interface Stream {
  writeSync(bytes: Uint8Array): number;
}

/** Writes all of `text`. Throws the system's error. */
function writeAll(stream: Stream, text: string): void {
  let bytes = new TextEncoder().encode(text);
  while (bytes.length > 0) bytes = bytes.subarray(writeSome(stream, bytes));
}

/** Waits if another process made the descriptor non-blocking, as happens with terminals. */
function writeSome(stream: Stream, bytes: Uint8Array): number {
  for (;;) {
    try {
      return stream.writeSync(bytes);
    } catch (error) {
      if (!(error instanceof Deno.errors.WouldBlock)) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, writePause);
    }
  }
}

/** Milliseconds. */
const writePause = 10;

function once(act: () => void): () => void {
  let isDone = false;
  return () => {
    if (!isDone) act();
    isDone = true;
  };
}

/** Columns of the terminal on stderr. */
function columns(): number | undefined {
  return Deno.stderr.isTerminal() ? Deno.consoleSize().columns : undefined;
}

const world = {
  environment: (name: string) => Deno.env.get(name),
  now: Date.now,
  elapsed: () => performance.now(),
  uuid: () => crypto.randomUUID(),
  random: (bytes: Uint8Array<ArrayBuffer>) => crypto.getRandomValues(bytes),
};

function host(): Host {
  const stop = new AbortController();
  // Windows has no SIGTERM and no SIGHUP; registering them is an error.
  const isWindows = Deno.build.os === "windows";
  const signals = ["SIGINT", ...isWindows ? [] : ["SIGTERM" as const]] as const;
  // A second signal ends the process at once; files being written do not have their final name yet.
  const onSignal = () => stop.signal.aborted ? Deno.exit(130) : stop.abort();
  for (const signal of signals) Deno.addSignalListener(signal, onSignal);
  // Writing to a stalled reader blocks the event loop. A command that prints has nothing left to
  // clean up, so from then on the first signal ends the process.
  const release = once(() => {
    for (const signal of signals) Deno.removeSignalListener(signal, onSignal);
  });
  return {
    ...world,
    stdout: (text) => {
      if (text !== "") release();
      writeAll(Deno.stdout, text);
    },
    stderr: (text) => {
      try {
        writeAll(Deno.stderr, text);
      } catch { /* a message that cannot be shown ends no work */ }
    },
    stdin: (buffer) => Deno.stdin.read(buffer),
    writeLog: (bytes) => Deno.stderr.write(bytes),
    columns,
    isTerminal: (stream) => Deno[stream].isTerminal(),
    stop: stop.signal,
    ...isWindows ? {} : { onHangUp: (renew) => Deno.addSignalListener("SIGHUP", renew) },
    permissions: Deno.permissions,
    mainUrl: import.meta.url,
  };
}

// A worker of the service starts from this module too, with import.meta.main true.
if ("WorkerGlobalScope" in globalThis) {
  if (globalThis.name === "chunks") {
    (await import("./src/cli/chunk_worker.ts")).answerChunks(world.now);
  } else {
    const { answerExports, exportRunner } = await import("./src/service/export_worker.ts");
    answerExports(exportRunner(world), world);
  }
} else if (import.meta.main) {
  const { start } = await import("./src/cli/start.ts");
  Deno.exit(await start(Deno.args, host()));
}
