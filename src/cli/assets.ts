/** `stella assets`: lists or writes the files embedded in the binary. */
import { basename, dirname, join, relative, sep } from "node:path";
import { StellaError } from "../domain/errors.ts";
import { type Asset, assets } from "../assets/assets.ts";
import { siteAddress, withAddresses } from "../assets/site_addresses.ts";
import { makeDirectories } from "../domain/durable.ts";
import { sha256 } from "../domain/hash.ts";
import { refuseNoDirectory, regularFileAt, replaceFile } from "../output/named_file.ts";
import { shown } from "../domain/names.ts";
import type { Result } from "./command.ts";
import type { Host } from "./host.ts";
import { plural } from "./render.ts";

export function listAssets(): Result {
  const list = assets().map(({ path, bytes, kind }) => ({
    path,
    kind,
    size: bytes.length,
    sha256: sha256(bytes),
  }));
  const lines = list.map((one) => `${one.sha256}  ${String(one.size).padStart(7)}  ${one.path}\n`);
  return { json: { assets: list }, text: lines.join("") };
}

type WriteOptions = Record<"only" | "baseUrl" | "grafanaUrl", string | undefined>;

/** @throws StellaError usage; conflict if a link or a directory is in the way; io */
export function writeAssets(
  directory: string,
  options: WriteOptions,
  { uuid }: Pick<Host, "uuid">,
): Result {
  const chosen = options.only === undefined
    ? assets()
    : assets().filter(({ path }) => path.startsWith(`${options.only}/`));
  // A single kind goes directly into the directory, as /etc/systemd/system needs it.
  const target = ({ path }: Asset) =>
    join(directory, options.only === undefined ? path : basename(path));
  const filled = filler(options);
  refuseLinks(directory, chosen.map(target));
  for (const asset of chosen) write(target(asset), filled(asset), uuid());
  const files = chosen.map(target);
  return {
    json: { files },
    text: `wrote ${plural(files.length, "file")}\n${files.map((file) => `  ${file}\n`).join("")}`,
  };
}

function filler({ baseUrl, grafanaUrl }: WriteOptions): (asset: Asset) => Uint8Array {
  const base = addressOf("--base-url", baseUrl);
  const grafana = addressOf("--grafana-url", grafanaUrl);
  return ({ kind, bytes }) =>
    kind !== "rules" ? bytes : new TextEncoder().encode(
      withAddresses(new TextDecoder().decode(bytes), {
        ...base && { base },
        ...grafana && { grafana },
      }),
    );
}

function addressOf(option: string, text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const address = siteAddress(text);
  if (address !== undefined) return address;
  const what = `Cannot use ${option} ${shown(text)}: not an http or https URL`;
  throw new StellaError("argument_invalid", what, {
    hint: "for example: http://10.0.0.5:8420, without user, query or fragment",
  });
}

/** The directory and those below it: a link among them would lead the files elsewhere. */
function refuseLinks(directory: string, files: readonly string[]): void {
  const below = files.flatMap((file) => {
    const parts = relative(directory, dirname(file)).split(sep).filter((part) => part !== "");
    return parts.map((_, depth) => join(directory, ...parts.slice(0, depth + 1)));
  });
  for (const path of new Set([directory, ...below])) refuseNoDirectory(path);
  for (const file of files) regularFileAt(file);
}

function write(path: string, bytes: Uint8Array, uuid: string): void {
  makeDirectories(dirname(path));
  replaceFile(path, bytes, 0o644, uuid);
}
