import {
  type CommonFlags,
  flag,
  flagOf,
  type Flags,
  type Options,
  text,
  type Value,
} from "./command.ts";
import {
  mountOption,
  passphraseOption,
  registryOptions,
  runFileOptions,
  serviceOptions,
  tokenOptions,
} from "./options.ts";

export const exportOptions = {
  profile: text("name", "configured profile, kit, or with --input any new name"),
  manifest: text(
    "path",
    "path of the manifest; the other files are written beside it (default: " +
      "out/manifest.json; with --server: fetch the finished bundle to this place)",
  ),
  image: text(
    "reference",
    "image or chart to carry: HOST/REPOSITORY:TAG, with @DIGEST to demand what it is; repeatable",
    { repeat: true },
  ),
  input: text("path", "file or directory to pack, or PREFIX=PATH; repeatable", { repeat: true }),
  include: text("glob", "pack only these files of each --input; repeatable", { repeat: true }),
  exclude: text("glob", "do not pack these files of each --input; repeatable", { repeat: true }),
  follow: flag("follow symbolic links inside each --input and pack copies"),
  sequence: text(
    "number",
    "sequence of the bundle, or none (default: the last one of the profile, plus 1 if its " +
      "contents changed)",
  ),
  key: text("file", "private key to sign with (default: the key of this machine)"),
  ...passphraseOption,
  secret: text("file", "also sign the manifest with this shared secret (HMAC-SHA256)"),
  tenant: text(
    "name",
    "tenant that the export belongs to (default: the first one of the profile, else " +
      "default; with --server the first one of the token that may export the profile)",
  ),
  compression: text("kind", "compression of the archive", { choices: ["zstd", "none"] }),
  layout: text("kind", "layout of the payload: an archive, or a directory of files", {
    choices: ["archive", "directory"],
    default: "archive",
  }),
  volumeSize: text("size", "split the archive into volumes: fat32, or a size such as 4G or 700MB"),
  includeSelf: flag("add this stella binary to the bundle (97 MB, not split by --volume-size)"),
  includeBinary: text("path", "add a stella binary for another platform; repeatable", {
    repeat: true,
  }),
  force: flag("overwrite existing files in the output directory"),
  dryRun: flag("show what would be packed; write nothing"),
  push: text("reference", "also push the bundle to a registry: oci://HOST/REPOSITORY:TAG"),
  noPublish: flag("do not publish to the targets that the profile names"),
  ...mountOption,
  ...registryOptions,
  server: {
    ...serviceOptions.server,
    help: "run the export on this service and follow it; --ca is then its authority",
  },
  trust: text(
    "path",
    "with --server: public key of the service, or a directory of *.pub; repeatable",
    { repeat: true },
  ),
  ...tokenOptions,
  ...runFileOptions,
} satisfies Options;

export type ExportFlags = Flags<typeof exportOptions> & CommonFlags;

/** The spellings of the options that were given, of those whose name `isAsked`. */
export function givenFlags(flags: ExportFlags, isAsked: (name: string) => boolean): string[] {
  return Object.entries<Value>(flags)
    .filter(([name, value]) => isAsked(name) && isGiven(value)).map(([name]) => flagOf(name));
}

function isGiven(value: Value): boolean {
  return Array.isArray(value) ? value.length > 0 : value !== undefined && value !== false;
}
