/** `stella export bundle --server URL`: a service does the export, and this command follows it. */
import { StellaError } from "../domain/errors.ts";
import { escaped } from "../domain/names.ts";
import { commonOptions, type Result } from "./command.ts";
import { outputDirectory } from "./export_bundle.ts";
import { type ExportFlags, givenFlags } from "./export_options.ts";
import { Follower, type RetryPolicy } from "./follow_export.ts";
import type { Host } from "./host.ts";
import { runFileOptions, serviceOptions } from "./options.ts";
import { ProgressLine } from "./progress.ts";
import { pullInto, type RemoteBundle, servicePlace } from "./pull.ts";
import { failureOf, fetchLeftOut, type LeftOutReport, type RemoteExport } from "./remote_export.ts";
import { asStellaError, verdictJson, verdictText } from "./render.ts";
import { countsText, emptyText } from "./export_result.ts";
import { notAService } from "./service_answer.ts";
import { ServiceClient } from "./service_client.ts";
import { readTrust } from "./verify.ts";

/** @throws StellaError usage for an option that needs this machine; the error of the export */
export async function submitExport(
  flags: ExportFlags,
  host: Host,
  retryPolicy?: RetryPolicy,
): Promise<Result> {
  const body = requestOf(flags);
  const directory = flags.manifest === undefined ? undefined : outputDirectory(flags.manifest);
  if (directory !== undefined) checkTrust(flags, host);
  const client = new ServiceClient(flags, host);
  const id = await submit(client, body, host);
  const line = new ProgressLine(host, flags.quiet === true || flags.json === true);
  line.note(`export ${id}`);
  const follower = new Follower(client, id, line, host, retryPolicy);
  const ended = await follower.toEnd().finally(() => line.end());
  if (ended.state !== "succeeded") throw failureOf(ended);
  const done = exported(ended, client.url, await fetchLeftOut(client, ended));
  return directory === undefined
    ? { ...done, text: `${done.text}${escaped(fetchText(client.url, id))}\n` }
    : await fetched(done, { url: client.url, id }, directory, flags, host);
}

function exported(
  { id, profile, tenant, bundleDigest }: RemoteExport,
  url: string,
  { leftOut, emptyDirectoryCount }: LeftOutReport,
): Result {
  const leftOutTexts = [
    emptyDirectoryCount ? emptyText(emptyDirectoryCount) : "",
    leftOut === undefined ? "" : countsText(leftOut),
  ];
  const lines = [
    `exported  ${profile} of ${tenant} by ${url}`,
    `  export    ${id}`,
    `  digest    sha256:${bundleDigest}`,
    ...leftOutTexts.filter((one) => one !== "").map((one) => `  left out  ${one}`),
  ];
  const bundle = { profile, tenant, bundleDigest };
  return {
    json: { verdict: "exported", id, bundle, emptyDirectoryCount, leftOut },
    text: lines.map((one) => `${escaped(one)}\n`).join(""),
  };
}

function fetchText(url: string, id: string): string {
  return `  fetch it: stella pull ${url}/v1/exports/${id} --to DIR`;
}

/** Fetches the finished bundle; the export stays at the service, whatever comes of that. */
async function fetched(
  done: Result,
  bundle: RemoteBundle,
  directory: string,
  flags: ExportFlags,
  host: Host,
): Promise<Result> {
  const { secret: _, ...options } = flags;
  const target = { to: directory, force: flags.force };
  const place = servicePlace(bundle, options, host);
  const { verified, files } = await pullInto(target, place, options, host).catch((error) => {
    throw notFetched(error, bundle);
  });
  const { verdict } = verified;
  const where = verdict.ok
    ? `  fetched to ${escaped(directory)}\n`
    : `  Nothing was kept.\n${escaped(fetchText(bundle.url, bundle.id))}\n`;
  return {
    code: verdict.code,
    json: { ...verdictJson(verdict), ...(verdict.ok ? done.json : { id: bundle.id }), files },
    text: done.text + verdictText(verdict, host.paint) + where,
  };
}

/** The export has succeeded all the same, and can be fetched again. */
function notFetched(thrown: unknown, { url, id }: RemoteBundle): StellaError {
  const error = asStellaError(thrown);
  const next = `the export has succeeded: \`stella pull ${url}/v1/exports/${id} --to DIR\``;
  return error.reworded(`Cannot fetch the export ${id}: ${error.message}`, {
    hint: error.hint === undefined ? next : `${error.hint}; ${next}`,
  });
}

/** Before the service does any work: without a key the bundle would be refused when it comes. */
function checkTrust({ secret: _, ...flags }: ExportFlags, host: Host): void {
  const { trusted } = readTrust(flags, host);
  if (trusted.length > 0) return;
  throw new StellaError("argument_missing", "Cannot fetch the bundle: no key is trusted here", {
    hint: `run: stella keys show --public --server ${flags.server} > service.pub; ` +
      "compare its keyid, then add --trust service.pub",
  });
}

/** @returns the id; it becomes part of paths and texts, so it is nothing but an id */
async function submit(client: ServiceClient, body: unknown, { uuid }: Host): Promise<string> {
  const headers = { "idempotency-key": uuid() };
  const { id } = await client.ask({ method: "POST", path: "/v1/exports", body, headers });
  if (typeof id === "string" && /^[0-9a-f-]{36}$/.test(id)) return id;
  throw notAService(client.url, "the id of an export");
}

/** Options that mean something to an export by the service; every other one is for this machine. */
const remoteOptions: readonly string[] = [
  ...["profile", "manifest", "tenant", "compression", "layout", "volumeSize", "trust"],
  ...Object.keys({ ...serviceOptions, ...runFileOptions, ...commonOptions }),
];

/** What only this machine can do is refused and not left out. */
function requestOf(flags: ExportFlags): Record<string, string | undefined> {
  const { profile, tenant, compression, layout = "archive", volumeSize } = flags;
  const isFetched = flags.manifest !== undefined;
  const known = isFetched ? [...remoteOptions, "force"] : remoteOptions;
  const given = givenFlags(flags, (name) => !known.includes(name));
  if (given.length > 0) {
    const names = given.join(", ");
    throw new StellaError("options_conflict", `Cannot use ${names} together with --server`, {
      hint: `leave out ${names}: the service packs what its configuration says, and signs with ` +
        "its own key",
    });
  }
  if (isFetched && layout === "directory") {
    throw new StellaError("options_conflict", "Cannot fetch a bundle with the layout directory", {
      hint: "leave --layout out, or --manifest, and fetch the files from the service one by one",
    });
  }
  if (profile === undefined) {
    throw new StellaError("argument_missing", "Cannot export: no profile was named");
  }
  const asked = layout === "archive" ? undefined : layout;
  return { profile, tenant, compression, layout: asked, volumeSize };
}
