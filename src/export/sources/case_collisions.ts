/**
 * Finds names in one directory that a case-insensitive or normalizing file system cannot tell
 * apart. A map of a million folded names would need more memory than the rest of an export: hashes
 * are enough, and only names that share one are compared.
 */
import { folded } from "../../domain/paths.ts";

/** Names, each with an earlier one that it collides with, in order; `/` at the end is ignored. */
export function* caseCollisions(keys: readonly string[]): Generator<[name: string, twin: string]> {
  const shared = sharedNumbers(keys);
  if (shared.size === 0) return;
  const seen = new Map<string, string>();
  for (const key of keys) {
    const name = key.replace(/\/$/, "");
    const form = folded(name);
    if (!shared.has(numberOf(form))) continue;
    const twin = seen.get(form);
    if (twin !== undefined) yield [name, twin];
    seen.set(form, name);
  }
}

function sharedNumbers(keys: readonly string[]): Set<number> {
  const numbers = Float64Array.from(keys, (key) => numberOf(folded(key.replace(/\/$/, "")))).sort();
  const shared = new Set<number>();
  for (let i = 1; i < numbers.length; i++) {
    if (numbers[i] === numbers[i - 1]) shared.add(numbers[i]!);
  }
  return shared;
}

/** 52 bits of two FNV-1a hashes of the text; names that share one are only compared. */
function numberOf(text: string): number {
  let [a, b] = [0x811c9dc5, 0x1b873593];
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    a = Math.imul(a ^ unit, 0x01000193);
    b = Math.imul(b ^ unit, 0x85ebca6b);
  }
  return (a >>> 0) * 2 ** 20 + (b >>> 12);
}
