/** `stella export bundle --server URL`: a service does the export; this command asks for it and follows it to its end. */
import { StellaError } from "../errors.ts";
import { escaped, shown } from "../bundle/names.ts";
import type { ExportFlags } from "./export_bundle.ts";
import { Follower, type Patience } from "./follow_export.ts";
import type { Host } from "./host.ts";
import type { Result } from "./program.ts";
import { ProgressLine } from "./progress.ts";
import { failureOf } from "./remote_export.ts";
import { objectOf, refusalOf } from "./service_answer.ts";
import { ServiceClient } from "./service_client.ts";

/** @throws StellaError usage where an option needs this machine; with the code of the export where it failed */
export async function submitExport(
  flags: ExportFlags,
  host: Host,
  patience?: Patience,
): Promise<Result> {
  const body = requestOf(flags);
  const client = new ServiceClient({ ...flags, url: flags.server }, host);
  const id = await submit(client, body, host);
  const line = new ProgressLine(host, flags.quiet === true || flags.json === true);
  line.note(`export ${id}`);
  const follower = new Follower(client, id, line, host.stop, patience);
  const ended = await follower.toEnd().finally(() => line.end());
  if (ended.state !== "succeeded") throw failureOf(ended);
  const { profile, tenant, bundleDigest } = ended;
  return {
    code: 0,
    json: { ok: true, code: 0, verdict: "exported", id, bundle: { profile, tenant, bundleDigest } },
    text: [
      `exported  ${profile} of ${tenant} by ${client.url}`,
      `  export    ${id}`,
      `  digest    sha256:${bundleDigest}`,
      `  fetch it: ${client.url}/v1/exports/${id}/bundle.tar`,
    ].map(escaped).join("\n") + "\n",
  };
}

/** @returns the id; it becomes part of paths and texts, so it is nothing but an id */
async function submit(client: ServiceClient, body: unknown, { uuid }: Host): Promise<string> {
  const headers = { "idempotency-key": uuid() };
  const answer = await client.call({ method: "POST", path: "/v1/exports", body, headers });
  if (answer.status !== 202) throw refusalOf(answer);
  const { id } = objectOf(answer);
  if (typeof id === "string" && /^[0-9a-f-]{36}$/.test(id)) return id;
  throw new StellaError("registry", `${shown(answer.url)} accepted an export without an id`, {
    hint: "name a service of stella with --server",
  });
}

/** What only this machine can do is refused and not left out. */
function requestOf(flags: ExportFlags): Record<string, string> {
  const { profile, tenant, compression, layout, volumeSize } = flags;
  const local = [
    "input",
    "include",
    "exclude",
    "follow",
    "key",
    "secret",
    "push",
    "includeSelf",
    "includeBinary",
    "force",
    "dryRun",
  ];
  const given = [
    ...local.filter((name) => Object.hasOwn(flags, name)),
    ...(flags.publish === false ? ["noPublish"] : []),
  ];
  if (given.length > 0) {
    const names = given.map((name) =>
      `--${name.replace(/[A-Z]/g, (one) => `-${one.toLowerCase()}`)}`
    );
    throw new StellaError("usage", `Cannot use ${names.join(", ")} together with --server`, {
      hint: "the service packs what its own configuration says, and signs with its own key",
    });
  }
  if (profile === undefined) throw new StellaError("usage", "Cannot export: no profile was named");
  return {
    profile,
    ...(tenant === undefined ? {} : { tenant }),
    ...(compression === undefined ? {} : { compression }),
    ...(layout === "archive" ? {} : { layout }),
    ...(volumeSize === undefined ? {} : { volumeSize }),
  };
}
