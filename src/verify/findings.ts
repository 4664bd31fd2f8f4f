/** Wording of the common findings. */
import type { Finding } from "../domain/errors.ts";
import { type BundleFile, indexName } from "../bundle/manifest.ts";

export function digestDiffers(path: string, expected: string, found: string): Finding {
  return {
    kind: "differs",
    reason: "digest_mismatch",
    path,
    found,
    expected,
    hint: "copy the file again from an intact copy: it was changed after signing",
  };
}

export function trailing(file: BundleFile, size: number): Finding {
  return {
    kind: "unexpected",
    reason: "trailing_data",
    path: file.path,
    range: [file.size, size],
    found: `${size} bytes`,
    expected: `${file.size} bytes`,
    hint: "copy the file again from an intact copy: data was added after signing",
  };
}

export function sizeDiffers(file: { path: string; size: number }, size: number): Finding {
  return {
    kind: "differs",
    reason: "size_differs",
    path: file.path,
    found: `${size} bytes`,
    expected: `${file.size} bytes`,
    hint: "copy the file again from an intact copy: it was changed after signing",
  };
}

const collisionHint = "stella exports no such names: report this to the sender of the bundle";

/** Reported at the later of the two names. */
export function caseCollision(path: string, twin: string): Finding {
  return {
    kind: "unsafe",
    reason: "case_collision",
    path,
    found: `it differs from ${twin} only by case or Unicode form`,
    hint: collisionHint,
  };
}

export function tooManyCollisions(): Finding {
  return {
    kind: "unsafe",
    reason: "case_collision",
    path: indexName,
    found: "too many names that may differ only by case or Unicode form to compare them all",
    hint: collisionHint,
  };
}
