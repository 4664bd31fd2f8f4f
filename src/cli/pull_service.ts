/** A finished bundle of a service, as one stream: verified while it comes, like every bundle. */
import { StellaError } from "../domain/errors.ts";
import { shown } from "../domain/names.ts";
import type { BundleSource } from "../bundle/source.ts";
import { StreamSource } from "../bundle/stream_source.ts";
import type { Kept } from "../verify/confine.ts";
import type { Verdict } from "../verify/verdict.ts";
import type { Host } from "./host.ts";
import { judgePlace, type Look, type VerifyOptions } from "./judge.ts";
import { refuseCredentials, ServiceClient, type ServiceFlags } from "./service_client.ts";

/** An export of a service. */
export interface RemoteBundle {
  /** Where the service is. */
  url: string;
  id: string;
}

/** `http(s)://SERVICE/v1/exports/ID`, with or without `/bundle.tar`. @throws StellaError usage */
export function parseExportUrl(text: string): RemoteBundle {
  refuseCredentials(text);
  const url = URL.parse(text);
  const found = /^\/v1\/exports\/([0-9a-f-]{36})(?:\/bundle\.tar)?$/.exec(url?.pathname ?? "");
  const isBare = url?.search === "" && url.hash === "";
  if (url !== null && found !== null && isBare) return { url: url.origin, id: found[1] ?? "" };
  throw new StellaError("usage", `Cannot pull ${shown(text)}: it is not the URL of an export`, {
    hint: "write it as https://SERVICE/v1/exports/ID, or oci://HOST/REPOSITORY:TAG",
  });
}

/**
 * Keys and token first; then all permissions but read and those in `keep` are given up; then the
 * first byte.
 * @throws ServiceError where the service does not answer with a bundle
 */
export async function judgeExport(
  { url, id }: RemoteBundle,
  options: VerifyOptions & ServiceFlags,
  host: Host,
  keep: readonly Kept[],
  through: (bundle: BundleSource) => BundleSource,
  look: Look,
): Promise<Verdict> {
  const client = new ServiceClient({ ...options, url }, host);
  const path = `/v1/exports/${id}/bundle.tar`;
  let stream: Awaited<ReturnType<ServiceClient["stream"]>> | undefined;
  const source = new StreamSource(url + path, async (buffer) => {
    stream ??= await client.stream(path);
    return await stream.pull(buffer);
  });
  const rest = source.finish.bind(source);
  const place = { source: through(source), directories: [], rest };
  try {
    return await judgePlace(place, options, host, look, keep);
  } finally {
    stream?.close();
  }
}
