/** A question to a running service, for the commands that have one. */
import { messageOf, StellaError } from "../errors.ts";
import { shown } from "../bundle/names.ts";
import { refuseHostileEnvironment } from "../config/hostile_environment.ts";
import { defaultListen } from "../config/listen.ts";
import type { Host } from "./host.ts";

/** Bytes; a status has a few hundred. What stands at the other end may be anything. */
const largestAnswer = 64 * 1024;
/** Milliseconds. */
const patience = 5_000;

export interface Answer {
  url: string;
  status: number;
  text: string;
}

/**
 * GETs `path` from the service at `url`, else STELLA_URL, else where `stella serve` listens by default.
 * @throws StellaError usage for a URL that is none, internal where nobody answers
 */
export async function askService(
  url: string | undefined,
  path: string,
  host: Host,
  most = largestAnswer,
): Promise<Answer> {
  refuseHostileEnvironment(host.environment);
  const base = baseUrl(url ?? (host.environment("STELLA_URL") || `http://${defaultListen}`));
  const target = new URL(path, base).href;
  const signal = AbortSignal.any([host.stop, AbortSignal.timeout(patience)]);
  try {
    const answer = await fetch(target, { signal, redirect: "error" });
    return { url: target, status: answer.status, text: await limitedText(answer, most) };
  } catch (error) {
    throw new StellaError("internal", `Cannot ask ${shown(target)}: ${messageOf(error)}`, {
      cause: error,
      hint: "start it with `stella serve`, or name the right one with --url",
    });
  }
}

function baseUrl(text: string): URL {
  const url = URL.parse(text);
  if (url !== null && /^https?:$/.test(url.protocol) && url.username === "") return url;
  throw new StellaError("usage", `Cannot ask ${shown(text)}: it is no http URL`, {
    hint: `write it as http://${defaultListen}`,
  });
}

async function limitedText(answer: Response, most: number): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of answer.body ?? []) {
    text += decoder.decode(chunk, { stream: true });
    if (text.length > most) {
      throw new Error("the answer is too long for a service of stella");
    }
  }
  return text + decoder.decode();
}
