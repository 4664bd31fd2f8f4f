/** The process edge: arguments, signals, exit code. Everything else lies below src/cli. */
import process from "node:process";
import { writeSync } from "node:fs";
import type { Host } from "./src/cli/host.ts";

function write(fd: number): (text: string) => void {
  return (text) => {
    try {
      const bytes = new TextEncoder().encode(text);
      for (let at = 0; at < bytes.length;) at += writeSync(fd, bytes, at);
    } catch { /* the reader has gone: a closed pipe ends no export */ }
  };
}

function host(): Host {
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    // A second signal ends the process at once; what it was writing has no final name yet.
    Deno.addSignalListener(signal, () => stop.signal.aborted ? Deno.exit(130) : stop.abort());
  }
  return {
    environment: (name) => Deno.env.get(name),
    stdout: write(1),
    stderr: write(2),
    columns: () => process.stderr.isTTY ? process.stderr.columns : undefined,
    now: Date.now,
    uuid: () => crypto.randomUUID(),
    stop: stop.signal,
    mainUrl: import.meta.url,
  };
}

// A worker of the service starts from this very module, and import.meta.main is true in it too.
if ("WorkerGlobalScope" in globalThis) {
  await import("./src/cli/work.ts").then((worker) => worker.work());
} else if (import.meta.main) {
  const { run } = await import("./src/cli/program.ts");
  Deno.exit(await run(Deno.args, host()));
}
