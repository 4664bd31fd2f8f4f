/**
 * What is exported, and what an export may use. Flags and jobs meet in `resolveExport` and share
 * everything after it; each stage takes one value and gives the next:
 *
 *     resolveExport -> ExportSpec -> plan -> Plan -> pack -> Packed -> describe -> Manifest
 *       -> sign -> Signed -> OutputTransaction
 */
import { StellaError } from "../domain/errors.ts";
import { readSecret, type SharedSecret } from "../attest/secret.ts";
import type { ChunkPool } from "../bundle/chunk_pool.ts";
import type { Compression, Layout } from "../bundle/manifest.ts";
import { checkName, shown } from "../domain/names.ts";
import { PrivateFiles, type PrivatePlaces } from "../bundle/private_files.ts";
import { earliestCreated } from "../domain/time.ts";
import { type EgressConfig, type EgressPolicy, egressPolicy } from "../domain/egress.ts";
import type { Config } from "../config/load.ts";
import type { Environment } from "../config/paths.ts";
import { privatePlacesOf } from "../config/private_places.ts";
import {
  belongsTo,
  type FilesSource,
  type Profile,
  type ProviderConfig,
  type RegistryConfig,
  type Target,
} from "../config/profile.ts";
import { volumeBytes, volumeSizes } from "../domain/volume_size.ts";
import type { ExportEvent } from "../domain/export_event.ts";
import type { Timing } from "../net/retry.ts";
import { folderOf } from "../risk/provider.ts";
import { type ImageReference, parseImage } from "../domain/image_reference.ts";
import type { UploadMemory } from "../registry/sessions.ts";
import type { CarriedProgram } from "./companions.ts";
import { type ImageAccess, settingsFor } from "./image_registries.ts";
import type { BuiltinEntry } from "./sources/inputs.ts";
import type { FreeSpace } from "../output/free_space.ts";

/** A request with the configuration that it needs; plain data, so that a worker can have it. */
export interface ExportRequest {
  readonly profile: Profile;
  readonly tenant: string;
  readonly compression?: Compression | undefined;
  readonly layout?: Layout | undefined;
  /** `fat32`, or a size such as `4G`. */
  readonly volumeSize?: string | undefined;
  /** Instead of the profile's. */
  readonly secretFile?: string | undefined;
  readonly imageAccess?: ImageAccess;
  readonly programs?: readonly CarriedProgram[];
  /** At least those of the profile's targets and images. */
  readonly registries: readonly RegistryConfig[];
  readonly egress: EgressConfig;
  /** Keys, credentials and state of this program. */
  readonly privatePlaces: PrivatePlaces;
}

/** The second provider of a kind is `osv-2`. */
export type NamedProvider = ProviderConfig & { readonly name: string };

/** The complete specification of an export: later stages have no defaults. */
export interface ExportSpec {
  readonly profile: string;
  readonly tenant: string;
  readonly sources: readonly FilesSource[];
  readonly builtin: readonly BuiltinEntry[];
  /** Images to carry; empty for other kinds of profile. */
  readonly images: readonly ImageReference[];
  readonly imageAccess: ImageAccess;
  /** Files of the bundle beside its manifest. */
  readonly documents: readonly { readonly path: string; readonly bytes: Uint8Array }[];
  /** Providers of risk data to join; empty for other kinds of profile. */
  readonly providers: readonly NamedProvider[];
  /** Seconds since 1970, or the mtime of the newest input. */
  readonly created: number | "newest";
  readonly layout: Layout;
  readonly compression: Compression;
  readonly volumeSize: number | undefined;
  /** Programs in the bundle: this program as `stella`, and builds for other platforms. */
  readonly programs: readonly CarriedProgram[];
  /** Makes an HMAC signature in addition to the attestation. */
  readonly secret: SharedSecret | undefined;
  readonly tool: { readonly version: string; readonly commit: string };
  readonly targets: readonly Target[];
  readonly registries: readonly RegistryConfig[];
  readonly egress: EgressConfig;
  /** None of these files is ever packed. */
  readonly privateFiles: PrivateFiles;
}

export interface ExportContext {
  uuid(): string;
  /** Monotonic clock, randomness and sleep. */
  readonly timing: Timing;
  readonly signal: AbortSignal;
  /** Lets signals and timers of the process run. @throws if the export should stop */
  yieldToEventLoop(): Promise<void>;
  emit(event: ExportEvent): void;
  /** Workers for a large export; else everything is done in this thread. */
  readonly workers?: (mayRead: boolean) => ChunkPool;
  /** Gets the first bytes of each file that is not empty, once and in order. */
  readonly onFirstBytes?: (path: string, head: Uint8Array) => void;
  /** Unfinished uploads to registries of earlier runs. */
  readonly uploads?: UploadMemory | undefined;
  /** Free space of a directory's file system; default: asks the system. */
  readonly freeSpace?: (directory: string) => FreeSpace | undefined;
}

/** What this machine and this build contribute to a specification. */
export interface ResolveOptions {
  readonly environment: Environment;
  readonly build: { version: string; commit: string; buildDate: string };
  readonly kitFiles: () => readonly BuiltinEntry[];
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/**
 * The tenant that was named, else the first of the profile, else `default`.
 * @throws StellaError policy where the profile is another tenant's; usage
 */
export function tenantOf(named: string | undefined, profile: Profile): string {
  const tenant = checkName("tenant", named ?? profile.tenants?.[0] ?? "default");
  if (belongsTo(profile, tenant)) return tenant;
  const what = `Cannot export the profile ${shown(profile.name)} for the tenant ${shown(tenant)}`;
  throw new StellaError("tenant_refused", `${what}: it is not one of the profile's tenants`, {
    hint: `name one of them with --tenant: ${profile.tenants?.join(", ")}`,
  });
}

export function requestExport(
  config: Config,
  profile: Profile,
  tenant: string,
  environment: Environment,
  state?: string,
): ExportRequest {
  const named = profile.targets.flatMap((one) => "registry" in one ? one.registry : []);
  const isNeeded = ({ name }: RegistryConfig) =>
    profile.images !== undefined || named.includes(name);
  return {
    profile,
    tenant,
    registries: [...config.registries.values()].filter(isNeeded),
    egress: config.egress,
    privatePlaces: privatePlacesOf(config, environment, state),
  };
}

/** @throws StellaError usage if the export is not possible, or a secret cannot be read */
export function resolveExport(request: ExportRequest, options: ResolveOptions): ExportSpec {
  const { profile, layout = "archive", programs = [] } = request;
  const volumeSize = volumeSizeOf(layout, request.volumeSize);
  const secretFile = request.secretFile ?? profile.secretFile;
  const { version, commit } = options.build;
  return Object.freeze({
    profile: checkName("profile", profile.name),
    tenant: checkName("tenant", request.tenant),
    sources: profile.sources,
    builtin: profile.kind === "kit" ? options.kitFiles() : [],
    providers: profile.kind === "risk" ? namedProviders(profile.providers) : [],
    images: profile.images?.map(parseImage) ?? [],
    imageAccess: request.imageAccess ?? {},
    documents: [],
    created: createdOf(profile, options),
    layout,
    compression: request.compression ?? profile.compression,
    volumeSize,
    programs,
    secret: secretFile === undefined ? undefined : readSecret(secretFile),
    tool: { version, commit },
    targets: profile.targets,
    registries: request.registries,
    egress: request.egress,
    privateFiles: new PrivateFiles(request.privatePlaces, options.now),
  });
}

export function namedProviders(providers: readonly ProviderConfig[] = []): NamedProvider[] {
  return providers.map((config, i) => {
    const nth = providers.slice(0, i + 1).filter(({ kind }) => kind === config.kind).length;
    return { ...config, name: nth === 1 ? config.kind : `${config.kind}-${nth}` };
  });
}

/** All local inputs: the files of providers, then the sources. */
export function localInputs({ providers, sources }: ExportSpec): FilesSource[] {
  const originals = providers.flatMap(({ name, path }): FilesSource[] =>
    path === undefined ? [] : [{ path, prefix: folderOf({ name }), encodeNames: true }]
  );
  return [...originals, ...sources];
}

function volumeSizeOf(layout: Layout, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const bytes = volumeBytes(text);
  if (bytes === undefined) {
    const what = `Cannot split the archive into volumes of ${
      shown(text)
    }: not a size, or too small`;
    throw new StellaError("argument_invalid", what, { hint: `use ${volumeSizes}` });
  }
  if (layout === "archive") return bytes;
  throw new StellaError(
    "options_conflict",
    "Cannot split the bundle into volumes: its layout is directory",
    {
      hint: "leave out --volume-size, or use --layout archive",
    },
  );
}

/** SOURCE_DATE_EPOCH; for the kit, whose files have no mtime, the time of the build. */
function createdOf(
  { kind }: Profile,
  { environment, build }: Pick<ResolveOptions, "environment" | "build">,
): ExportSpec["created"] {
  const given = environment("SOURCE_DATE_EPOCH");
  if (given !== undefined && given !== "") {
    if (/^\d{1,12}$/.test(given)) return Number(given);
    const text = `Cannot use SOURCE_DATE_EPOCH=${shown(given)}: it is not a count of seconds`;
    throw new StellaError("environment_invalid", text, {
      hint: "for example: SOURCE_DATE_EPOCH=1767225600",
    });
  }
  if (kind !== "kit") return "newest";
  const built = Date.parse(build.buildDate) / 1000;
  return Number.isFinite(built) ? built : earliestCreated;
}

/**
 * What an export connects to: where it downloads from, and the registries of its images and its
 * targets.
 */
export function addressesOf(spec: ExportSpec): URL[] {
  const { providers, targets, registries, images } = spec;
  const named = targets.flatMap((target) => "registry" in target ? target.registry : []);
  return [
    ...providers.flatMap(({ url }) => url ?? []),
    ...registries.flatMap(({ name, url }) => named.includes(name) ? url : []),
    ...new Set(images.map(({ registry }) => settingsFor(registry, spec).endpoint.url.href)),
  ].map((url) => new URL(url));
}

/** The egress policy of the specification; refusals are reported. */
export function egressOf({ egress }: ExportSpec, { emit }: ExportContext): EgressPolicy {
  const onRefused = (hostname: string, port: number) =>
    emit({ kind: "refused", destination: `${hostname}:${port}` });
  return egressPolicy(egress, onRefused);
}
