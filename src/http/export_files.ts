/** The files of a finished export: a list, single files with ranges and ETags, or one stream. */
import type { Context } from "hono";
import {
  type Contents,
  contentsOf,
  findStored,
  storedBytes,
  type StoredFile,
} from "../store/files/contents.ts";
import { StellaError } from "../domain/errors.ts";
import type { Job } from "../jobs/job.ts";
import { needs } from "./access.ts";
import { audit } from "./audit.ts";
import { bundleTar, tarSize } from "./bundle_tar.ts";
import type { App, AppEnvironment, ServerDeps } from "./deps.ts";
import { jobFor, noExport, stateText } from "./exports.ts";
import { problem } from "./problem.ts";
import { namesTag, parseRange } from "./range.ts";

export function addFiles(app: App, deps: ServerDeps): void {
  app.get("/v1/exports/:id/files", needs("download"), async (c) => {
    const stored = await storedFor(c, deps);
    if (stored instanceof Response) return stored;
    const items = stored.contents.files
      .map(({ path, size, digest: sha256 }) => ({ path, size, sha256 }));
    return c.json({ items, next: null });
  });

  app.get("/v1/exports/:id/files/:path{.+}", needs("download"), async (c) => {
    const stored = await storedFor(c, deps);
    if (stored instanceof Response) return stored;
    const { contents, job } = stored;
    const file = findStored(contents, c.req.param("path"));
    if (file === undefined) {
      return problem(c, "not_found", "The export has no such file");
    }
    return sendFile(c, contents, file, () => audit(c, deps, "download", job, file.path));
  });

  app.get("/v1/exports/:id/bundle.tar", needs("download"), async (c) => {
    const stored = await storedFor(c, deps);
    if (stored instanceof Response) return stored;
    const { contents, job } = stored;
    if (contents.layout === "directory") {
      const detail = "A bundle with the layout directory cannot be streamed";
      return problem(c, "stream_unavailable", detail, { hint: "download its files one by one" });
    }
    const tag = `"${contents.bundleDigest}.tar"`;
    if (namesTag(c.req.header("if-none-match"), tag)) return unchanged(c, tag);
    if (c.req.method === "GET") audit(c, deps, "download", job);
    return c.body(bundleTar(contents), 200, {
      ...attachment("application/x-tar", `${c.req.param("id")}.tar`, tag),
      "content-length": String(tarSize(contents)),
    });
  });
}

/** The stored bundle of the export in the path, or the response that there is none. */
async function storedFor(
  c: Context<AppEnvironment>,
  deps: ServerDeps,
): Promise<{ contents: Contents; job: Job } | Response> {
  const job = jobFor(c, deps);
  if (job === undefined) return noExport(c);
  const { tenant, profile, state } = job;
  // An unchanged export uses the bundle of the earlier one.
  const bundle = { exportId: job.sameAs ?? job.id, tenant, profile };
  const directory = state === "succeeded" ? deps.store.find(bundle) : undefined;
  if (directory !== undefined) {
    const damage = deps.damageOf?.(bundle);
    if (damage !== undefined) return damaged(c, damage);
    try {
      return { contents: await contentsOf(directory), job };
    } catch (error) {
      return unreadable(c, deps, error);
    }
  }
  const why = state === "succeeded" ? "was removed" : stateText(state);
  return problem(c, "not_found", `The export has no bundle: it ${why}`);
}

/** It was logged when the scrub found it. */
function damaged(c: Context, { path }: { path: string }) {
  const what = JSON.stringify(path);
  const detail = `The bundle of this export is damaged: its file ${what} has changed`;
  return problem(c, "bundle_damaged", detail, exportAgain);
}

/** The error names the path, which only belongs in the log. */
function unreadable(c: Context, { onFault }: Pick<ServerDeps, "onFault">, error: unknown) {
  onFault(error);
  const { reason, kind } = error instanceof StellaError ? error : new StellaError("defect", "");
  const detail = "The bundle of this export cannot be read: the service's log says why";
  return problem(c, reason, detail, { kind, ...exportAgain });
}

const exportAgain = { hint: "export its profile again" };

function sendFile(c: Context, contents: Contents, file: StoredFile, onSent: () => void) {
  const tag = `"${file.digest}"`;
  if (namesTag(c.req.header("if-none-match"), tag)) return unchanged(c, tag);
  const name = file.path.split("/").at(-1) ?? "";
  const headers = { ...attachment(typeOf(name), name, tag), "accept-ranges": "bytes" };
  const condition = c.req.header("if-range");
  const asked = condition === undefined || condition === tag ? c.req.header("range") : undefined;
  const range = parseRange(asked, file.size);
  if (range === "unsatisfiable") {
    c.header("content-range", `bytes */${file.size}`);
    return problem(c, "range_unsatisfiable", `The file has ${file.size} bytes`);
  }
  if (c.req.method === "GET") onSent();
  const [from, to] = range ?? [0, file.size];
  return c.body(storedBytes(contents, file, from, to), range === undefined ? 200 : 206, {
    ...headers,
    "content-length": String(to - from),
    ...(range === undefined ? {} : { "content-range": `bytes ${from}-${to - 1}/${file.size}` }),
  });
}

function unchanged(c: Context, etag: string) {
  return c.body(null, 304, { etag, "cache-control": "private, no-cache" });
}

/** The bytes behind an ETag never change: they may be cached, access is checked each time. */
function attachment(type: string, name: string, etag: string): Record<string, string> {
  return {
    etag,
    "cache-control": "private, no-cache",
    "content-type": type,
    "content-disposition": `attachment; filename*=UTF-8''${encodeURIComponent(name)}`,
  };
}

function typeOf(name: string): string {
  if (name.endsWith(".json")) return "application/json";
  return /^SHA256SUMS$|\.(txt|sh)$/.test(name)
    ? "text/plain; charset=utf-8"
    : "application/octet-stream";
}
