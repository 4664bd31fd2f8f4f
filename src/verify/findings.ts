/** Wording of the common findings. */
import { type Finding, finding, type StellaError } from "../domain/errors.ts";
import { type BundleFile, indexName } from "../bundle/manifest.ts";

const copyAgain = "copy the file again from an intact copy: it was changed after signing";
const reportCollision = "report this to the sender of the bundle: stella exports no such names";

export function digestDiffers(path: string, expected: string, found: string): Finding {
  return finding("digest_mismatch", { path, found, expected, hint: copyAgain });
}

/** @param expected the size in words, where the manifest does not state it */
export function sizeDiffers(
  { path, size }: Pick<BundleFile, "path" | "size">,
  found: number,
  expected = `${size} bytes`,
): Finding {
  return finding("size_differs", { path, found: `${found} bytes`, expected, hint: copyAgain });
}

export function trailing(file: BundleFile, size: number): Finding {
  return finding("trailing_data", {
    path: file.path,
    range: [file.size, size],
    found: `${size} bytes`,
    expected: `${file.size} bytes`,
    hint: "copy the file again from an intact copy: data was added after signing",
  });
}

/** A missing volume counts as truncation. */
export function absent({ path, volume }: { path: string; volume?: unknown }): Finding {
  return volume === undefined
    ? finding("file_missing", { path, hint: "copy it here: the manifest or the index lists it" })
    : finding("volume_missing", {
      path,
      hint: "copy it here, or name its directory with --volumes",
    });
}

export function unsafe(path: string, error: Pick<StellaError, "message" | "hint">): Finding {
  const { message: found, hint } = error;
  return finding("unsafe_entry", { path, found, ...(hint === undefined ? {} : { hint }) });
}

/** Reported at the later of the two names. */
export function caseCollision(path: string, other: string): Finding {
  const found = `it differs from ${other} only by case or Unicode form`;
  return finding("case_collision", { path, found, hint: reportCollision });
}

export function tooManyCollisions(): Finding {
  return finding("case_collision", {
    path: indexName,
    found: "too many names that may differ only by case or Unicode form to compare them all",
    hint: reportCollision,
  });
}
