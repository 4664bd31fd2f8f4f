/**
 * Follows an export of a service to its end, through a while of silence or overload. It also polls
 * the export itself: a proxy that blocks event streams costs only the progress.
 */
import { setTimeout } from "node:timers/promises";
import { StellaError } from "../domain/errors.ts";
import { escaped, shown } from "../domain/names.ts";
import type { Host } from "./host.ts";
import type { ProgressLine } from "./progress.ts";
import { exportFrom, hasEnded, type RemoteExport } from "./remote_export.ts";
import { asStellaError } from "./render.ts";
import { notAService, objectOf, ServiceError } from "./service_answer.ts";
import type { ServiceClient } from "./service_client.ts";

/** Milliseconds. */
export interface RetryPolicy {
  /** Before the next request. */
  pause: number;
  /** Without a successful response. */
  lost: number;
}

const defaultRetryPolicy: RetryPolicy = { pause: 1_000, lost: 60_000 };
/** Seconds; if the service demands more, it is asked earlier. */
const maxWait = 300;

type Question = () => Promise<RemoteExport | undefined>;

export class Follower {
  #lastEvent = "";
  #state = "";
  #isWithoutEvents = false;
  /** When the service was first unreachable; monotonic. */
  #missedAt: number | undefined;

  constructor(
    readonly client: ServiceClient,
    readonly id: string,
    readonly line: ProgressLine,
    readonly host: Pick<Host, "stop" | "elapsed">,
    readonly retryPolicy = defaultRetryPolicy,
  ) {}

  /** @throws StellaError where it cannot be followed any more; the hint says what becomes of it */
  async toEnd(): Promise<RemoteExport> {
    try {
      for (;;) {
        const end = await this.#try(() => this.#events(), (error) => this.#refused(error)) ??
          await this.#try(() => this.#poll(), (error) => this.#failed(error));
        if (end !== undefined) return end;
      }
    } catch (error) {
      throw this.#leaving(error);
    }
  }

  /** A question, then a pause unless it led to the end; `retry` throws what is not transient. */
  async #try(question: Question, retry: (error: ServiceError) => void) {
    let seconds = 0;
    try {
      const end = await question();
      if (end !== undefined) return end;
    } catch (error) {
      if (!(error instanceof ServiceError)) throw error;
      retry(error);
      seconds = Math.min(error.retryAfter ?? 0, maxWait);
    }
    const wait = Math.max(seconds * 1_000, this.retryPolicy.pause);
    await setTimeout(wait, undefined, { signal: this.host.stop });
    return undefined;
  }

  /** Reads events after the last one until the end, or until the stream breaks. */
  async #events(): Promise<RemoteExport | undefined> {
    const headers = this.#lastEvent === "" ? {} : { "last-event-id": this.#lastEvent };
    let event = "";
    for await (const text of this.client.lines({ path: `${this.#path}/events`, headers })) {
      if (text.startsWith("event: ")) event = text.slice(7);
      else if (text.startsWith("id: ")) this.#lastEvent = text.slice(4);
      else if (text.startsWith("data: ")) {
        this.#recovered();
        const data = objectOf({ text: text.slice(6) });
        if (event === "end") return endOf(data);
        if (event === "progress") this.#progress(data);
      }
    }
    return undefined;
  }

  async #poll(): Promise<RemoteExport | undefined> {
    const data = await this.client.ask({ path: this.#path });
    const { state } = data;
    if (typeof state !== "string") throw notAService(this.client.url, "an export");
    this.#recovered();
    if (hasEnded({ state })) return endOf(data);
    if (state !== this.#state) this.line.note(escaped(this.#state = state));
    return undefined;
  }

  get #path(): string {
    return `/v1/exports/${this.id}`;
  }

  #progress({ stage, done, total }: Record<string, unknown>): void {
    this.line.update(escaped(String(stage)), Number(done), Number(total));
  }

  /** Without events the export itself is polled; whoever may not read one may not read either. */
  #refused(error: ServiceError): void {
    const { status } = error;
    if (status === undefined) return this.#failed(error);
    if (status === 401 || status === 403) throw error;
    if (!this.#isWithoutEvents) {
      this.line.note(`${escaped(error.message)}: the export itself is asked`);
    }
    this.#isWithoutEvents = true;
  }

  #failed(error: ServiceError): void {
    if (!error.passes) throw error;
    const now = this.host.elapsed();
    const { lost } = this.retryPolicy;
    if (this.#missedAt === undefined) {
      this.line.note(`${escaped(error.message)}: trying for ${lost / 1_000} s`);
    }
    this.#missedAt ??= now;
    if (now - this.#missedAt > lost) throw error;
  }

  #recovered(): void {
    if (this.#missedAt !== undefined) this.line.note("the service answers again");
    this.#missedAt = undefined;
  }

  #leaving(thrown: unknown): StellaError {
    const cancel = `\`stella jobs cancel ${this.id} --server ${this.client.url}\` ends it`;
    if (this.host.stop.aborted) {
      return new StellaError("interrupted", `Interrupted: ${this.id} goes on; ${cancel}`);
    }
    const error = asStellaError(thrown);
    const isGone = thrown instanceof ServiceError && thrown.status === 404;
    const hints = [error.hint, isGone ? undefined : `the export goes on; ${cancel}`];
    return error.reworded(`Lost the export ${this.id}: ${error.message}`, {
      hint: hints.filter((hint) => hint !== undefined).join("; "),
    });
  }
}

/** @throws StellaError not_found where it is no export any more */
function endOf(data: Record<string, unknown>): RemoteExport {
  const found = exportFrom(data);
  if (found !== undefined && hasEnded(found)) return found;
  throw new StellaError("not_found", `It ended as ${shown(JSON.stringify(data))}`, {
    hint: "run: stella timeline, which shows whether it was removed",
  });
}
