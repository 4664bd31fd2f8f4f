/** How the common findings of a verification are worded. */
import type { Finding } from "../errors.ts";
import type { BundleFile } from "../bundle/manifest.ts";

export function digestDiffers(path: string, expected: string, found: string): Finding {
  return {
    code: "digest",
    reason: "digest_mismatch",
    path,
    found,
    expected,
    hint: "the bytes are not the signed ones: copy the file again from a good medium",
  };
}

export function trailing(file: BundleFile, size: number): Finding {
  return {
    code: "unexpected",
    reason: "trailing_data",
    path: file.path,
    range: [file.size, size],
    found: `${size} bytes`,
    expected: `${file.size} bytes`,
    hint: "bytes follow the signed ones: copy the file again from a good medium",
  };
}

export function sizeDiffers(file: { path: string; size: number }, size: number): Finding {
  return {
    code: "digest",
    reason: "size_differs",
    path: file.path,
    found: `${size} bytes`,
    expected: `${file.size} bytes`,
    hint: "the bytes are not the signed ones: copy the file again from a good medium",
  };
}
