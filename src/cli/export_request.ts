/** What the flags of an export ask for, with what the configuration says of its profile. */
import { assets } from "../assets/assets.ts";
import type { PrivatePlaces } from "../bundle/private_files.ts";
import { globFault } from "../config/glob.ts";
import { type Config, loadConfig } from "../config/load.ts";
import { loginFiles } from "../config/paths.ts";
import type { FilesSource, Profile } from "../config/profile.ts";
import { StellaError } from "../domain/errors.ts";
import { parseImage } from "../domain/image_reference.ts";
import { checkName, shown } from "../domain/names.ts";
import { parseReference } from "../domain/reference.ts";
import { build, programPath } from "../domain/version.ts";
import { programsOf } from "../export/companions.ts";
import type { ImageAccess } from "../export/image_registries.ts";
import { type ExportSpec, requestExport, resolveExport, tenantOf } from "../export/spec.ts";
import { flagOf } from "./command.ts";
import type { ExportFlags } from "./export_options.ts";
import type { Host } from "./host.ts";

export async function specOf(flags: ExportFlags, host: Host): Promise<ExportSpec> {
  const { environment } = host;
  const name = profileName(flags);
  const where = { flag: flags.config, environment };
  const { config } = await loadConfig(where);
  const profile = profileOf(name, flags, config);
  const targets = flags.noPublish === true ? [] : profile.targets;
  const asked = { ...profile, targets };
  const request = requestExport(config, asked, tenantOf(flags.tenant, profile), environment);
  return resolveExport({
    ...request,
    compression: flags.compression,
    layout: flags.layout,
    volumeSize: flags.volumeSize,
    secretFile: flags.secret,
    programs: programsOf(flags.includeSelf ? selfPath() : undefined, flags.includeBinary),
    privatePlaces: withNamedFiles(request.privatePlaces, flags),
    ...(asked.images === undefined
      ? {}
      : { imageAccess: imageAccessOf(asked.images, flags, host) }),
  }, { environment, now: host.now, build: build(), kitFiles: assets });
}

function profileName(flags: ExportFlags): string {
  if (flags.profile !== undefined) return checkName("profile", flags.profile);
  throw new StellaError("argument_missing", "Cannot export: no profile was named", {
    hint: "for example: stella export bundle --profile kit --manifest out/manifest.json",
  });
}

/** What was named to this command is as private as what the configuration names. */
function withNamedFiles(places: PrivatePlaces, flags: ExportFlags): PrivatePlaces {
  const { key, keyPassphraseFile, secret, credentials, clientKey, tokenFile } = flags;
  const named = [key, keyPassphraseFile, secret, credentials, clientKey, tokenFile];
  return { ...places, files: [...places.files, ...named.filter((path) => path !== undefined)] };
}

/**
 * How registries of images are reached that are not configured. Flags are for one registry: no
 * credentials may be sent to two. @throws StellaError usage
 */
function imageAccessOf(images: readonly string[], flags: ExportFlags, host: Host): ImageAccess {
  const { ca, credentials, clientCert, clientKey, plainHttp } = flags;
  const given = Object.entries({ ca, credentials, clientCert, clientKey, plainHttp })
    .flatMap(([name, value]) => value === undefined || value === false ? [] : [flagOf(name)]);
  const [first] = given;
  if (first !== undefined) refuseSharedFlag(first, images, flags);
  return {
    ca,
    clientCertificate: clientCert,
    clientKey,
    ...(plainHttp === true ? { plainHttp } : {}),
    ...(credentials === undefined
      ? { loginFiles: loginFiles(host.environment) }
      : { credentialsFile: credentials }),
  };
}

function refuseSharedFlag(
  flag: string,
  images: readonly string[],
  { push }: Pick<ExportFlags, "push">,
): void {
  const named = new Set(images.map((image) => parseImage(image).registry));
  if (push !== undefined) named.add(parseReference(push).authority);
  if (named.size === 1) return;
  const what = `Cannot use ${flag} with several registries: ${[...named].join(", ")}`;
  throw new StellaError("options_conflict", what, {
    hint: "configure each of them under `registries` in stella.yaml",
  });
}

function profileOf(name: string, flags: ExportFlags, config: Config): Profile {
  const inputs = inputsOf(flags);
  const images = flags.image ?? [];
  const known = config.profiles.get(name);
  if (images.length > 0) return imageProfile(name, images, inputs, known);
  if (known !== undefined) return { ...known, sources: [...known.sources, ...inputs] };
  if (inputs.length > 0) {
    return { name, kind: "files", sources: inputs, compression: "zstd", targets: [] };
  }
  const what = `Cannot export the profile ${shown(name)}: it is not configured`;
  throw new StellaError("profile_unknown", what, {
    hint: `name its files with --input PATH, its images with --image, or use one of: ${
      [...config.profiles.keys()].join(", ")
    }`,
  });
}

function imageProfile(
  name: string,
  images: readonly string[],
  inputs: readonly FilesSource[],
  known: Profile | undefined,
): Profile {
  if (inputs.length > 0) {
    throw new StellaError("options_conflict", "Cannot use --image together with --input", {
      hint: "export files and images as two bundles",
    });
  }
  if (known === undefined) {
    return {
      name,
      kind: "images",
      images: [...images],
      sources: [],
      compression: "none",
      targets: [],
    };
  }
  if (known.kind === "images") return { ...known, images: [...known.images ?? [], ...images] };
  const what = `Cannot add images to the profile ${shown(name)}: it is of the kind ${known.kind}`;
  throw new StellaError("options_conflict", what, {
    hint: "choose another name, or a profile of the kind images",
  });
}

/** @throws StellaError usage where stella runs from its source */
export function selfPath(): string {
  const path = programPath();
  if (path !== undefined) return path;
  const what = "Cannot include this program: it runs from its source, not as a binary";
  throw new StellaError("program_unsuitable", what, {
    hint: "build it with `deno task build` or `deno task build:portable`, and run the binary",
  });
}

type InputFlags = Pick<ExportFlags, "input" | "include" | "exclude" | "follow">;

/** @throws StellaError usage for an invalid glob, and for one without an input */
export function inputsOf(
  { input = [], include = [], exclude = [], follow }: InputFlags,
): FilesSource[] {
  const rules = {
    ...include.length === 0 ? {} : { include: [...include] },
    ...exclude.length === 0 ? {} : { exclude: [...exclude] },
    ...(follow === true ? { follow } : {}),
  };
  const [first] = Object.keys(rules);
  if (first !== undefined && input.length === 0) {
    throw new StellaError("options_conflict", `Cannot use --${first} without --input`, {
      hint:
        "name what to pack with --input PATH; sources of a profile have these rules in stella.yaml",
    });
  }
  for (const [name, globs] of Object.entries({ include, exclude })) {
    for (const glob of globs) checkGlob(name, glob);
  }
  return input.map((text) => ({ ...parseInput(text), ...rules }));
}

/** `DIR`, `FILE` or `PREFIX=PATH`; a path with `=` in it is written with `./` or `/` in front. */
export function parseInput(text: string): FilesSource {
  const at = text.indexOf("=");
  if (at < 1 || /^[./]/.test(text)) return { path: text };
  return { prefix: text.slice(0, at), path: text.slice(at + 1) };
}

function checkGlob(option: string, glob: string): void {
  const fault = globFault(glob);
  if (fault === undefined) return;
  throw new StellaError("argument_invalid", `Cannot use --${option} ${shown(glob)}: ${fault}`, {
    hint: "for example: --include '**/*.json'; globs match paths relative to the input",
  });
}
