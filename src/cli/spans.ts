/** `stella spans`: a sink for the spans of a site without a collector. */
import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { StellaError } from "../domain/errors.ts";
import { openNamed } from "../output/named_file.ts";
import { shown } from "../domain/names.ts";
import { refuseHostileEnvironment } from "../config/hostile_environment.ts";
import { isLoopbackHost } from "../domain/loopback.ts";
import { checkBound, listenError, parseListen } from "../config/listen.ts";
import { SpansFile } from "../telemetry/sink/spans_file.ts";
import { openSink } from "../telemetry/sink/span_sink.ts";
import type { Result } from "./command.ts";
import { stopped } from "./event_loop.ts";
import type { Host } from "./host.ts";
import { plural } from "./render.ts";

type SpansFlags = Record<"listen" | "out" | "maxSize" | "keep", string> & { quiet: boolean };

const mebibyte = 1024 * 1024;

export async function keepSpans(options: SpansFlags, host: Host): Promise<Result> {
  refuseHostileEnvironment(host.environment);
  const listen = parseListen(options.listen);
  mkdirSync(dirname(options.out), { recursive: true });
  const limits = {
    size: countOf("--max-size", options.maxSize) * mebibyte,
    keep: countOf("--keep", options.keep),
  };
  // Spans show who exported what: only their owner may read them.
  const open = (path: string) => openNamed(path, 0o600, true);
  const file = new SpansFile({ path: options.out, open, ...limits });
  let spans = 0;
  try {
    const keep = (line: string) => file.add(line);
    const sink = await openSink({
      ...listen,
      isOwnHost: isLoopbackHost,
      keep,
      onSpans: (count) => spans += count,
    }).catch((error) => {
      throw listenError(listen, error);
    });
    checkBound(listen, sink.address);
    if (!options.quiet) host.stderr(`listening on ${sink.url}/v1/traces\n`);
    await stopped(host);
    await sink.close();
    const text = `wrote ${plural(spans, "span")} to ${shown(options.out)}\n`;
    return { json: { url: sink.url, spans, files: [options.out] }, text };
  } finally {
    file.close();
  }
}

function countOf(option: string, text: string): number {
  if (/^[1-9]\d{0,5}$/.test(text)) return Number(text);
  const what = `Cannot use ${option} ${shown(text)}: not a number above 0`;
  throw new StellaError("argument_invalid", what, {
    hint: "--max-size counts in MiB, --keep counts files",
  });
}
