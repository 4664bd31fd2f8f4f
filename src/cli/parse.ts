/**
 * Parses the words of a command line, and reports all faults at once. Our own parser: loading a
 * package for it would take longer than the rest of `stella version`.
 */
import { escaped, shown } from "../domain/names.ts";
import {
  type Argument,
  type Command,
  commonOptions,
  flagOf,
  type Option,
  type Options,
  type Typed,
  type Value,
} from "./command.ts";

/** What was not understood, and a suggestion if there is an obvious one. */
export interface Fault {
  readonly text: string;
  readonly hint?: string;
}

export interface Parsed {
  readonly typed: Typed;
  readonly faults: readonly Fault[];
  readonly isHelp: boolean;
}

/** `words` follow the name of the command. */
export function parse(command: Command, words: readonly string[]): Parsed {
  const options = { ...command.options, ...commonOptions };
  const { plain, given, faults, isHelp } = split(words, options);
  const values: Record<string, Value> = {};
  for (const [name, option] of Object.entries(options)) {
    values[name] = valueOf(name, option, given.get(name), faults);
  }
  const args = argumentsOf(command, plain, values, faults);
  return { typed: { args, options: values }, faults, isHelp };
}

interface Split {
  plain: string[];
  /** By option name. */
  given: Map<string, string[]>;
  faults: Fault[];
  isHelp: boolean;
}

function split(words: readonly string[], options: Options): Split {
  const found: Split = { plain: [], given: new Map(), faults: [], isHelp: false };
  const rest = [...words];
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    if (word === "--") {
      found.plain.push(...rest);
      return found;
    }
    if (word === "--help" || word === "-h") found.isHelp = true;
    else if (word.startsWith("-") && word !== "-") takeOption(word, rest, options, found);
    else found.plain.push(word);
  }
  return found;
}

function takeOption(word: string, rest: string[], options: Options, found: Split): void {
  const [, flag = word, value] = /^([^=]*)=(.*)$/s.exec(word) ?? [];
  const known = Object.entries(options).find(([name, option]) => isSpelled(flag, name, option));
  if (known === undefined) return void found.faults.push(unknownOption(flag, options));
  const [name, option] = known;
  if (option.kind === "flag") {
    if (value !== undefined) found.faults.push({ text: `option ${flag} takes no value` });
    return void found.given.set(name, []);
  }
  const next = value ?? (isValue(rest[0]) ? rest.shift() : undefined);
  if (next === undefined) {
    const text = `option ${flag} needs a value: ${usageOf(name, option)}`;
    return void found.faults.push({ text });
  }
  found.given.set(name, [...found.given.get(name) ?? [], next]);
}

function isSpelled(flag: string, name: string, option: Option): boolean {
  const alias = option.kind === "text" ? option.alias : undefined;
  return flag === flagOf(name) || (alias !== undefined && flag === `--${alias}`);
}

/** A value with a leading hyphen must be typed as `--option=-value`. */
function isValue(word: string | undefined): boolean {
  return word !== undefined && (word === "-" || !word.startsWith("-"));
}

function unknownOption(flag: string, options: Options): Fault {
  const near = nearest(flag, [...Object.keys(options).map(flagOf), "--help"]);
  const text = `unknown option ${shown(flag)}`;
  return near === undefined ? { text } : { text, hint: `use ${near}` };
}

/**
 * An optional argument takes a word only if enough remain for the required ones, and none if an
 * option has named its value.
 */
function argumentsOf(
  { args }: Command,
  plain: readonly string[],
  options: Readonly<Record<string, Value>>,
  faults: Fault[],
): Record<string, Value> {
  const rest = [...plain];
  const values: Record<string, Value> = {};
  const named = ({ or }: Argument) => or === undefined ? undefined : options[or];
  const isRequired = (one: Argument) => !one.optional && named(one) === undefined;
  let required = Object.values(args).filter(isRequired).length;
  for (const [name, one] of Object.entries(args)) {
    if (isRequired(one)) required--;
    const isTaken = named(one) === undefined && rest.length > required;
    const words = isTaken ? rest.splice(0, one.repeat ? rest.length : 1) : [];
    values[name] = one.repeat ? words : named(one) ?? words[0];
    if (words.length === 0 && isRequired(one)) faults.push(missing(name, one));
    faults.push(...notAmong(name, one.choices, words));
  }
  if (rest.length > 0) {
    faults.push({ text: `unexpected argument ${rest.map(shown).join(" ")}` });
  }
  return values;
}

function missing(name: string, argument: Argument): Fault {
  const other = argument.or === undefined ? "" : `, or ${flagOf(argument.or)}`;
  return { text: `missing argument ${argumentText(name, argument)}${other}` };
}

function notAmong(
  name: string,
  choices: readonly string[] | undefined,
  values: readonly string[],
): Fault[] {
  if (choices === undefined) return [];
  return values.filter((one) => !choices.includes(one))
    .map((one) => ({ text: `${name} ${shown(one)} is not one of ${choices.join(", ")}` }));
}

/** Of a repeated option the last value counts. @param values undefined: not given */
function valueOf(
  name: string,
  option: Option,
  given: readonly string[] | undefined,
  faults: Fault[],
): Value {
  if (option.kind === "flag") return given !== undefined;
  const values = given ?? [];
  const { choices, required } = option;
  faults.push(...notAmong(flagOf(name), choices, values));
  if (option.repeat) return values;
  const value = values.at(-1) ?? option.default;
  if (value === undefined && required) {
    faults.push({ text: `missing option ${usageOf(name, option)}` });
  }
  return value;
}

/** `--trust <path>`, as help shows it. */
export function usageOf(name: string, option: Option): string {
  return option.kind === "flag" ? flagOf(name) : `${flagOf(name)} <${option.value}>`;
}

/** `<id>`, `[place]`, `<ids...>`. */
export function argumentText(name: string, { optional, repeat }: Argument): string {
  const inner = `${name}${repeat ? "..." : ""}`;
  return optional ? `[${inner}]` : `<${inner}>`;
}

/** The most similar of `all`. */
export function nearest(typed: string, all: readonly string[]): string | undefined {
  if (typed.length > 64) return undefined;
  const most = Math.max(1, Math.floor(typed.replace(/^-+/, "").length / 3));
  const ranked = all.map((one) => ({ one, distance: distanceOf(escaped(typed), one) }))
    .filter(({ distance }) => distance <= most)
    .toSorted((a, b) => a.distance - b.distance);
  return ranked[0]?.one;
}

/** Edit distance with insertions, deletions, replacements and swaps (optimal string alignment). */
function distanceOf(a: string, b: string): number {
  const at = (row: readonly number[], j: number) => row[j] ?? Infinity;
  let before: number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const isSame = a[i - 1] === b[j - 1];
      const isSwapped = j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      next[j] = Math.min(
        at(row, j) + 1,
        at(next, j - 1) + 1,
        at(row, j - 1) + (isSame ? 0 : 1),
        isSwapped ? at(before, j - 2) + 1 : Infinity,
      );
    }
    [before, row] = [row, next];
  }
  return at(row, b.length);
}
