/**
 * The process edge: arguments, signals, exit code. Everything else lies below src/cli and is imported when it is needed: the
 * build keeps the rest as text beside this module (src/build/lazy.ts). No node: module here, because the first one of a
 * process costs as much as all else of `stella version`.
 */
import type { Host } from "./src/cli/host.ts";

interface Stream {
  writeSync(bytes: Uint8Array): number;
}

function write(stream: Stream): (text: string) => void {
  return (text) => {
    try {
      let bytes = new TextEncoder().encode(text);
      while (bytes.length > 0) bytes = bytes.subarray(stream.writeSync(bytes));
    } catch { /* the reader has gone: a closed pipe ends no export */ }
  };
}

/** Columns of the terminal on stderr. */
function columns(): number | undefined {
  return Deno.stderr.isTerminal() ? Deno.consoleSize().columns : undefined;
}

function host(): Host {
  const stop = new AbortController();
  // Windows knows no SIGTERM and no SIGHUP; asking for it there is an error.
  const isWindows = Deno.build.os === "windows";
  const signals = ["SIGINT", ...isWindows ? [] : ["SIGTERM" as const]] as const;
  for (const signal of signals) {
    // A second signal ends the process at once; what it was writing has no final name yet.
    Deno.addSignalListener(signal, () => stop.signal.aborted ? Deno.exit(130) : stop.abort());
  }
  return {
    environment: (name) => Deno.env.get(name),
    stdout: write(Deno.stdout),
    stderr: write(Deno.stderr),
    stdin: (buffer) => Deno.stdin.read(buffer),
    columns,
    now: Date.now,
    uuid: () => crypto.randomUUID(),
    stop: stop.signal,
    ...isWindows ? {} : { onHangUp: (renew) => Deno.addSignalListener("SIGHUP", renew) },
    permissions: Deno.permissions,
    mainUrl: import.meta.url,
  };
}

// A worker of the service starts from this very module, and import.meta.main is true in it too.
if ("WorkerGlobalScope" in globalThis) {
  if (globalThis.name === "chunks") {
    (await import("./src/cli/chunk_worker.ts")).answerChunks();
  } else (await import("./src/cli/work.ts")).work();
} else if (import.meta.main) {
  const { start } = await import("./src/cli/start.ts");
  Deno.exit(await start(Deno.args, host()));
}
