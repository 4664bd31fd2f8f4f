/**
 * Audit: a log line and a timeline event for every action through the API, and a line for every
 * refused request. Tokens are identified by name.
 */
import type { Clocks } from "../domain/time.ts";
import type { ExportRef } from "../domain/export_event.ts";
import type { Log } from "./log.ts";

export const actions = ["queue", "cancel", "retry", "delete", "download"] as const;
export type Action = typeof actions[number];

export interface AuditedExport extends ExportRef {
  bundleDigest?: string | undefined;
}

export interface Refused {
  status: 401 | 403;
  actor?: string | undefined;
  method: string;
  /** Our route template, never the caller's path. */
  route: string;
  /** IP address of the peer; that of a proxy, if there is one. */
  client?: string | undefined;
}

export interface AuditParts extends Pick<Clocks, "elapsed"> {
  log: Log;
  timeline: { add(of: AuditedExport, stage: string, attributes: Record<string, unknown>): unknown };
  onFault(error: unknown): void;
}

/** The body of the log line, and the stage in the timeline; that of `queue` is there already. */
const texts: Record<Action, { body: string; stage?: string }> = {
  queue: { body: "export queued by a client" },
  cancel: { body: "export cancelled by a client", stage: "cancelling" },
  retry: { body: "export queued again by a client", stage: "retried" },
  delete: { body: "export deleted by a client", stage: "deleted" },
  download: { body: "bundle downloaded by a client", stage: "downloaded" },
};

/** Milliseconds: a client that downloads a bundle file by file, or in ranges, is one event. */
const sameDownload = 3_600_000;
const maxDownloads = 1_000;

/** Lines per minute about requests without a token: anybody at the port could fill the log. */
const maxRefusals = 60;
const minute = 60_000;

export class Audit {
  /** Export and actor to the time of the last timeline event. */
  readonly #downloads = new Map<string, number>();
  #window = { since: 0, lines: 0, left: 0 };

  constructor(private readonly parts: AuditParts) {}

  /** `path` is the downloaded file as the bundle names it; absent for the whole bundle. */
  did(action: Action, actor: string, of: AuditedExport, path?: string): void {
    const { log, timeline, onFault } = this.parts;
    const { body, stage } = texts[action];
    log("INFO", `audit.${action}`, body, { actor, ...of, path });
    if (stage === undefined || (action === "download" && !this.#isFirst(of, actor))) return;
    try {
      timeline.add(of, stage, { actor });
    } catch (error) {
      onFault(error);
    }
  }

  refused({ status, ...who }: Refused): void {
    if (who.actor === undefined && !this.#hasRoom()) return;
    const body = status === 401 ? "request without a valid token refused" : "request refused";
    this.parts.log("WARN", "audit.refused", body, { status: String(status), ...who });
  }

  #isFirst({ exportId }: AuditedExport, actor: string): boolean {
    const key = `${exportId} ${actor}`;
    const now = this.parts.elapsed();
    const last = this.#downloads.get(key);
    if (last !== undefined && now - last < sameDownload) return false;
    const [oldest] = this.#downloads.keys();
    if (this.#downloads.size >= maxDownloads && oldest !== undefined) {
      this.#downloads.delete(oldest);
    }
    this.#downloads.set(key, now);
    return true;
  }

  /** The first line of the next minute says how many were omitted. */
  #hasRoom(): boolean {
    const now = this.parts.elapsed();
    if (now - this.#window.since >= minute) {
      const { left: count } = this.#window;
      this.#window = { since: now, lines: 0, left: 0 };
      const body = "further refused requests not logged";
      if (count > 0) this.parts.log("WARN", "audit.left", body, { count });
    }
    if (this.#window.lines++ < maxRefusals) return true;
    this.#window.left++;
    return false;
  }
}
