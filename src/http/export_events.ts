/**
 * The progress of an export as server-sent events (WHATWG HTML, section 9.2): `step` with its id
 * for each timeline event, so that a reconnecting client misses nothing; `progress` in between;
 * `end` with the export as GET returns it. Comment lines keep proxies and socket timeouts quiet.
 */
import type { Context } from "hono";
import type { Progress } from "../jobs/feed.ts";
import { isFinished, type Job } from "../jobs/job.ts";
import { needs } from "./access.ts";
import type { App, ServerDeps } from "./deps.ts";
import { idPattern, shownExport } from "./export_request.ts";
import { jobFor, noExport } from "./exports.ts";
import { untilRead } from "./limit.ts";
import { problem } from "./problem.ts";
import { shownEvent } from "./timeline.ts";

/** Milliseconds without an event until a comment is sent; the socket closes after 60 s. */
const silence = 15_000;
const page = 100;

type Parts = Pick<ServerDeps, "queue" | "timeline" | "feed" | "elapsed" | "isDraining">;

export function addEvents(app: App, deps: ServerDeps): void {
  app.get("/v1/exports/:id/events", needs("read"), (c) => {
    const job = jobFor(c, deps);
    if (job === undefined) return noExport(c);
    const headers = { "content-type": "text/event-stream; charset=utf-8" };
    // The body of a HEAD response is never read or closed: it does not count as a follower.
    if (c.req.method === "HEAD") return c.body(null, 200, headers);
    const leave = deps.feed.follow(job.tenant);
    if (leave === undefined) return tooMany(c, deps);
    const last = c.req.header("last-event-id") ?? "";
    const after = idPattern.test(last) ? last : "";
    return c.body(eventStream(job, after, deps, leave), 200, headers);
  });
}

/** The same answer whether all places or the tenant's are taken: it learns nothing about others. */
function tooMany(c: Context, { feed, onRefused }: Pick<ServerDeps, "feed" | "onRefused">) {
  onRefused("followers_full");
  c.header("retry-after", "5");
  return problem(
    c,
    "too_many_streams",
    `Too many event streams are open (limit: ${feed.maxFollowers})`,
    { hint: "poll the export itself meanwhile, without /events" },
  );
}

function eventStream(job: Job, after: string, deps: Parts, leave: () => void) {
  const gone = new AbortController();
  const frames = ReadableStream.from(follow(job, after, deps, gone.signal))
    .pipeThrough(new TextEncoderStream());
  return untilRead(frames, () => {
    leave();
    gone.abort();
    deps.feed.wake(job.id);
  });
}

async function* follow(
  { id, tenant }: Job,
  after: string,
  { queue, timeline, feed, elapsed, isDraining }: Parts,
  gone: AbortSignal,
): AsyncGenerator<string> {
  yield "retry: 2000\n\n";
  let told: Progress | undefined;
  for (let ended = false; !gone.aborted;) {
    const count = feed.versionOf(id);
    const events = timeline.list({ tenant, exportId: id, after, limit: page });
    for (const event of events) yield frame("step", shownEvent(event), after = event.id);
    if (events.length === page) continue;
    const progress = feed.progressOf(id);
    if (progress !== undefined && progress !== told) yield frame("progress", told = progress);
    const job = queue.get(id);
    if (ended) return yield frame("end", job === undefined ? null : shownExport(job));
    ended = job === undefined || isFinished(job);
    if (isDraining()) return;
    // The last step may be written a moment after the end.
    if (ended) await feed.waitForChange(id, feed.versionOf(id), 50);
    else yield* waitForNews({ feed, elapsed }, id, count);
  }
}

async function* waitForNews(
  { feed, elapsed }: Pick<ServerDeps, "feed" | "elapsed">,
  id: string,
  count: number,
): AsyncGenerator<string> {
  const started = elapsed();
  await feed.waitForChange(id, count, silence);
  if (elapsed() - started >= silence) yield ": \n\n";
}

function frame(event: string, data: unknown, id?: string): string {
  const lines = [`event: ${event}`, ...(id === undefined ? [] : [`id: ${id}`])];
  return [...lines, `data: ${JSON.stringify(data)}`, "", ""].join("\n");
}
