/** Options of `stella export bundle`. */
import type { CommonFlags, Flags, Options } from "./command.ts";
import {
  mountOption,
  passphraseOption,
  registryOptions,
  runFileOptions,
  serviceOptions,
  tokenOptions,
} from "./options.ts";

export const exportOptions = {
  profile: {
    kind: "text",
    help: "configured profile, kit, or a new name together with --input",
    value: "name",
  },
  manifest: {
    kind: "text",
    help: "path of the manifest; the other files are written beside it (default: " +
      "out/manifest.json; with --server: fetch the finished bundle to this place)",
    value: "path",
  },
  input: {
    kind: "text",
    help: "file or directory to pack, or PREFIX=PATH; repeatable",
    value: "path",
    repeat: true,
  },
  include: {
    kind: "text",
    help: "pack only these files of each --input; repeatable",
    value: "glob",
    repeat: true,
  },
  exclude: {
    kind: "text",
    help: "do not pack these files of each --input; repeatable",
    value: "glob",
    repeat: true,
  },
  follow: { kind: "flag", help: "pack copies of what symbolic links inside an --input lead to" },
  key: {
    kind: "text",
    help: "private key that signs (default: the key of this machine)",
    value: "file",
  },
  ...passphraseOption,
  secret: {
    kind: "text",
    help: "also sign the manifest with this shared secret (HMAC-SHA256)",
    value: "file",
  },
  tenant: {
    kind: "text",
    help: "tenant that the export belongs to (default: the first one of the profile, else " +
      "default; with --server the first one of the token that may export the profile)",
    value: "name",
  },
  compression: {
    kind: "text",
    help: "compression of the archive",
    value: "kind",
    choices: ["zstd", "none"],
  },
  layout: {
    kind: "text",
    help: "layout of the payload: an archive, or a directory of files",
    value: "kind",
    choices: ["archive", "directory"],
    default: "archive",
  },
  volumeSize: {
    kind: "text",
    help: "cut the archive: fat32, or a size such as 4G or 700MB",
    value: "size",
  },
  includeSelf: {
    kind: "flag",
    help: "add this stella binary to the bundle (97 MB, not split by --volume-size)",
  },
  includeBinary: {
    kind: "text",
    help: "add a stella binary for another platform; repeatable",
    value: "path",
    repeat: true,
  },
  force: { kind: "flag", help: "overwrite existing files in the output directory" },
  dryRun: { kind: "flag", help: "show what would be packed; write nothing" },
  push: {
    kind: "text",
    help: "then push to a registry: oci://HOST/REPOSITORY:TAG",
    value: "reference",
  },
  noPublish: { kind: "flag", help: "do not publish to the targets that the profile names" },
  ...mountOption,
  ...registryOptions,
  server: {
    ...serviceOptions.server,
    help: "let this service do the export, and follow it; --ca is then its authority",
  },
  trust: {
    kind: "text",
    help: "with --server: public key of the service, or a directory of *.pub; repeatable",
    value: "path",
    repeat: true,
  },
  ...tokenOptions,
  ...runFileOptions,
} as const satisfies Options;

export type ExportFlags = Flags<typeof exportOptions> & CommonFlags;
