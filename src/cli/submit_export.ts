/** `stella export bundle --server URL`: a service does the export; this command asks for it and follows it to its end. */
import { type ErrorCode, exitCodes, StellaError } from "../errors.ts";
import { escaped, shown } from "../bundle/names.ts";
import type { ExportFlags } from "./export_bundle.ts";
import type { Host } from "./host.ts";
import type { Result } from "./program.ts";
import { ProgressLine } from "./progress.ts";
import { objectOf, refusalOf, ServiceClient } from "./service_client.ts";

interface Ended {
  id: string;
  state: string;
  profile: string;
  tenant: string;
  bundleDigest: string | null;
  error: { code: string; message: string; hint?: string } | null;
}

/** Milliseconds before a stream that broke is asked for again. */
const pause = 1_000;

/** @throws StellaError usage where an option needs this machine; with the code of the export where it failed */
export async function submitExport(flags: ExportFlags, host: Host): Promise<Result> {
  const body = requestOf(flags);
  const client = new ServiceClient({ ...flags, url: flags.server }, host);
  const headers = { "idempotency-key": host.uuid() };
  const answer = await client.call({ method: "POST", path: "/v1/exports", body, headers });
  if (answer.status !== 202) throw refusalOf(answer);
  const { id } = objectOf(answer) as unknown as Ended;
  const line = new ProgressLine(host, flags.quiet === true || flags.json === true);
  const ended = await follow(client, id, line, host).finally(() => line.end());
  if (ended.state !== "succeeded") throw failureOf(ended);
  const { profile, tenant, bundleDigest } = ended;
  return {
    code: 0,
    json: { ok: true, code: 0, verdict: "exported", id, bundle: { profile, tenant, bundleDigest } },
    text: [
      `exported  ${profile} of ${tenant} by ${flags.server}`,
      `  export    ${id}`,
      `  digest    sha256:${bundleDigest}`,
      `  fetch it: ${flags.server?.replace(/\/$/, "")}/v1/exports/${id}/bundle.tar`,
    ].map(escaped).join("\n") + "\n",
  };
}

/** What only this machine can do is refused and not left out. */
function requestOf(flags: ExportFlags): Record<string, string> {
  const { profile, tenant, compression, layout, volumeSize } = flags;
  const local = [
    "input",
    "key",
    "secret",
    "push",
    "includeSelf",
    "includeBinary",
    "force",
    "dryRun",
  ];
  const given = local.filter((name) => Object.hasOwn(flags, name));
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
    ...(tenant === "default" ? {} : { tenant }),
    ...(compression === undefined ? {} : { compression }),
    ...(layout === "archive" ? {} : { layout }),
    ...(volumeSize === undefined ? {} : { volumeSize }),
  };
}

/** Reads events until the end; a stream that breaks is taken up after the last event that came. */
async function follow(
  client: ServiceClient,
  id: string,
  line: ProgressLine,
  host: Host,
): Promise<Ended> {
  let last = "";
  for (;;) {
    const headers = last === "" ? {} : { "last-event-id": last };
    let event = "";
    for await (const text of client.lines({ path: `/v1/exports/${id}/events`, headers })) {
      if (text.startsWith("event: ")) event = text.slice(7);
      else if (text.startsWith("id: ")) last = text.slice(4);
      else if (text.startsWith("data: ") && event === "end") return JSON.parse(text.slice(6));
      else if (text.startsWith("data: ") && event === "progress") {
        const { stage, done, total } = JSON.parse(text.slice(6));
        line.update(escaped(String(stage)), Number(done), Number(total));
      }
    }
    if (host.stop.aborted) throw new StellaError("interrupted", `Interrupted: ${id} goes on`);
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
}

function failureOf({ id, state, error }: Ended): StellaError {
  const code = Object.hasOwn(exitCodes, error?.code ?? "") ? error?.code as ErrorCode : "internal";
  const what = `The export ${shown(id)} ${state === "failed" ? "failed" : `is ${escaped(state)}`}`;
  const text = error === null ? what : `${what}: ${error.message}`;
  if (state === "cancelled") return new StellaError("interrupted", text);
  return new StellaError(code, text, error?.hint === undefined ? {} : { hint: error.hint });
}
