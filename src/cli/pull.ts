/** `stella pull`: verifies a bundle of a registry or a service while it arrives. */
import type { BundleSource } from "../bundle/source.ts";
import { StreamSource } from "../bundle/stream_source.ts";
import { StellaError } from "../domain/errors.ts";
import { escaped, shown } from "../domain/names.ts";
import { freeSpaceAt } from "../output/free_space.ts";
import { type OutputTarget, PulledBundle } from "../output/pulled.ts";
import type { Result } from "./command.ts";
import type { Host } from "./host.ts";
import type { Place } from "./open_bundle.ts";
import type { ServiceFlags } from "./options.ts";
import { refuseCredentials, ServiceClient } from "./service_client.ts";
import { resultOf, type Verified, type VerifyFlags, verifyPlace } from "./verify.ts";

export interface PullTarget {
  readonly to: string;
  readonly force?: boolean | undefined;
}

/** An export of a service. */
export interface RemoteBundle {
  /** Where the service is. */
  url: string;
  id: string;
}

export async function pullBundle(
  reference: string,
  options: VerifyFlags & Omit<ServiceFlags, "server"> & PullTarget,
  host: Host,
): Promise<Result> {
  const place = await remotePlace(reference, options, host);
  const { verified, files } = await pullInto(options, place, options, host);
  const text = verified.verdict.ok
    ? `  pulled to ${escaped(options.to)}\n`
    : "  Nothing was kept.\n";
  return resultOf(verified, host, { files, text });
}

async function remotePlace(
  reference: string,
  options: VerifyFlags & Omit<ServiceFlags, "server">,
  host: Host,
): Promise<Place> {
  if (/^https?:/.test(reference)) return servicePlace(parseExportUrl(reference), options, host);
  const { registryPlace } = await import("./registry_place.ts");
  return await registryPlace(reference, options, host);
}

/** The verdict, and the names of the files: none if the verdict is not good. */
export async function pullInto(
  { to, force = false }: PullTarget,
  place: Place,
  options: VerifyFlags,
  host: Host,
): Promise<{ verified: Verified; files: string[] }> {
  const [action, uuid, space] = ["Cannot pull", host.uuid(), freeSpaceAt(to)];
  const target: OutputTarget = { action, force, uuid, space };
  let pulled: PulledBundle | undefined;
  try {
    const verified = await verifyPlace(place, options, host, {
      through: (source: BundleSource) => pulled = new PulledBundle(source, target),
      begin: (manifest, isRefused) => pulled?.begin(manifest, isRefused, to),
    }, ["write"]);
    if (!verified.verdict.ok || pulled === undefined) return { verified, files: [] };
    pulled.complete();
    return { verified, files: pulled.commit() };
  } finally {
    pulled?.close();
  }
}

/** A finished bundle of a service as one stream, verified while it arrives. */
export function servicePlace(
  { url, id }: RemoteBundle,
  options: Omit<ServiceFlags, "server">,
  host: Host,
): Place {
  const client = new ServiceClient({ ...options, server: url }, host);
  const path = `/v1/exports/${id}/bundle.tar`;
  return {
    name: url + path,
    directories: [],
    needs: ["net"],
    open() {
      let stream: Awaited<ReturnType<ServiceClient["stream"]>> | undefined;
      const source = new StreamSource(url + path, async (buffer) => {
        stream ??= await client.stream(path);
        return await stream.pull(buffer);
      });
      return {
        source,
        remainingFindings: (manifest) => source.finish(manifest),
        close: () => stream?.close(),
      };
    },
  };
}

/** `http(s)://SERVICE/v1/exports/ID`, with or without `/bundle.tar`. @throws StellaError usage */
export function parseExportUrl(text: string): RemoteBundle {
  refuseCredentials(text);
  const url = URL.parse(text);
  const found = /^\/v1\/exports\/([0-9a-f-]{36})(?:\/bundle\.tar)?$/.exec(url?.pathname ?? "");
  const isBare = url?.search === "" && url.hash === "";
  if (url !== null && found !== null && isBare) return { url: url.origin, id: found[1] ?? "" };
  const what = `Cannot pull ${shown(text)}: it is not the URL of an export`;
  throw new StellaError("argument_invalid", what, {
    hint: "write it as https://SERVICE/v1/exports/ID, or oci://HOST/REPOSITORY:TAG",
  });
}
