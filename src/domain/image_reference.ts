/**
 * References to images: `[oci://]HOST[:PORT]/REPOSITORY[:TAG][@DIGEST]`. There are no short names
 * and no default tag, because what they mean depends on the machine.
 */
import { StellaError } from "./errors.ts";
import type { Digest } from "./hash.ts";
import { shown } from "./names.ts";
import { dockerHub, isDigest, readReference, refuseCredentials } from "./reference.ts";

export interface ImageReference {
  /** As it was written. */
  text: string;
  /** `HOST[:PORT]`, lowercase: `docker.io`, not the host that serves it. */
  registry: string;
  repository: string;
  tag?: string;
  /** What the tag has to refer to; without a tag, the manifest itself. */
  digest?: Digest;
}

/** @throws StellaError usage */
export function parseImage(text: string): ImageReference {
  refuseCredentials(text);
  const { image, faults } = readImage(text);
  if (faults.length === 0) return image;
  const what = `Cannot use the image ${shown(text)}: ${faults.join("; ")}`;
  throw new StellaError("reference_invalid", what, {
    hint: "write HOST[:PORT]/REPOSITORY:TAG, such as docker.io/library/nginx:1.27",
  });
}

/** Why the text is no reference to an image, or undefined. */
export function imageFault(text: string): string | undefined {
  try {
    refuseCredentials(text);
  } catch {
    return "it has credentials in it";
  }
  const { faults } = readImage(text);
  return faults.length === 0 ? undefined : faults.join("; ");
}

function readImage(text: string): { image: ImageReference; faults: string[] } {
  const rest = text.replace(/^oci:(?:\/\/)?/, "");
  const at = rest.indexOf("@");
  const { reference, faults } = readReference(at < 0 ? rest : rest.slice(0, at));
  const { authority: registry, tag } = reference;
  const digest = at < 0 ? undefined : rest.slice(at + 1);
  const isShort = registry === dockerHub && !reference.repository.includes("/");
  const repository = isShort ? `library/${reference.repository}` : reference.repository;
  const image: ImageReference = {
    text,
    registry,
    repository,
    ...(tag === undefined ? {} : { tag }),
  };
  if (digest !== undefined && isDigest(digest)) return { image: { ...image, digest }, faults };
  if (digest !== undefined) {
    faults.push(`the digest ${shown(digest)} is not sha256 and 64 hex digits`);
  } else if (tag === undefined && faults.length === 0) faults.push("it has no tag");
  return { image, faults };
}
