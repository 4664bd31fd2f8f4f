/**
 * As exchange.ts, but the body of a success stays in the connection until it is asked for: a reader that is slower than the
 * registry slows it down, and no time limit runs while nobody reads.
 */
import type { ClientRequest, IncomingMessage } from "node:http";
import { StellaError } from "../errors.ts";
import { readAnswer, responseTo, single, type Timeouts, Watch } from "./exchange.ts";
import { broken } from "./failure.ts";
import type { Outgoing, Stream, Streamed } from "./message.ts";

/** @throws RegistryError where no answer came; StellaError of the signal */
export async function openExchange(
  request: ClientRequest,
  outgoing: Outgoing,
  timeouts: Timeouts,
): Promise<Streamed> {
  const watch = new Watch(request, outgoing, timeouts);
  try {
    const response = await responseTo(request, outgoing.body, watch);
    const status = response.statusCode!;
    if (status >= 200 && status < 300) return streamed(status, response, outgoing, watch);
    const answer = await readAnswer(response, outgoing, watch);
    watch.end();
    return { ...answer, stream: undefined };
  } catch (error) {
    throw ended(watch, outgoing, error);
  }
}

function streamed(
  status: number,
  response: IncomingMessage,
  outgoing: Outgoing,
  watch: Watch,
): Streamed {
  const header = (name: string) => single(response.headers[name]);
  watch.idle();
  return { status, header, body: new Uint8Array(), stream: bodyOf(response, outgoing, watch) };
}

function bodyOf(response: IncomingMessage, outgoing: Outgoing, watch: Watch): Stream {
  const pieces = (response as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]();
  return {
    next: async () => {
      watch.moved();
      try {
        const { value, done } = await pieces.next();
        watch.idle();
        return done ? undefined : value;
      } catch (error) {
        throw ended(watch, outgoing, error);
      }
    },
    close: () => {
      watch.end();
      if (!response.complete) watch.request.destroy();
    },
  };
}

/** Ends the exchange for good, and says why it failed. */
function ended(watch: Watch, { method, url }: Outgoing, error: unknown): StellaError {
  const cause = watch.cause ?? error;
  watch.end();
  watch.request.destroy();
  return cause instanceof StellaError ? cause : broken(method, url, cause);
}
