/** Sequences of bundles: they number the states of a profile, from 1. */
import { StellaError } from "./errors.ts";
import { shown } from "./names.ts";

/**
 * The value of an option: a sequence, or `none`.
 * @throws StellaError usage
 */
export function sequenceOption(option: string, text: string): number | "none" {
  if (text === "none") return text;
  const value = sequenceFrom(text);
  if (value !== undefined) return value;
  throw new StellaError("argument_invalid", `Cannot use --${option} ${shown(text)}: ${noNumber}`, {
    hint: `for example: --${option} 42, or --${option} none for a bundle without a sequence`,
  });
}

/** As `sequenceOption`, where a bundle without a sequence makes no sense. */
export function sequenceNumber(option: string, text: string): number {
  const value = sequenceFrom(text);
  if (value !== undefined) return value;
  throw new StellaError("argument_invalid", `Cannot use --${option} ${shown(text)}: ${noNumber}`, {
    hint: `for example: --${option} 42`,
  });
}

const noNumber = `it is not an integer from 1 to ${Number.MAX_SAFE_INTEGER}`;

function sequenceFrom(text: string): number | undefined {
  const value = /^[1-9]\d{0,15}$/.test(text) ? Number(text) : undefined;
  return Number.isSafeInteger(value) ? value : undefined;
}
