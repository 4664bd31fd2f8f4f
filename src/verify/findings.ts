/** The findings of one verification, and how the common ones are worded. */
import type { Finding } from "../errors.ts";
import type { BundleFile } from "../bundle/manifest.ts";

/** The most findings that are kept one by one; a bundle of a million missing files must not fill the memory. */
const mostFindings = 10_000;

export class Findings {
  readonly list: Finding[] = [];
  #left = 0;

  add(finding: Finding): void {
    if (this.list.length < mostFindings) this.list.push(finding);
    else this.#left++;
  }

  /** All findings; the last says how many more there were. */
  all(): Finding[] {
    if (this.#left === 0) return this.list;
    const found = `${this.#left} more findings are not listed`;
    return [...this.list, { code: this.list.at(-1)!.code, reason: "more_findings", found }];
  }
}

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
