/**
 * Definition of a command: parsing, help, permissions, completions and the command reference follow
 * from its declaration in commands/. That is cheap to load; `run` imports what does the work.
 */
import { StellaError } from "../domain/errors.ts";
import type { Permission } from "../domain/permissions.ts";
import type { Host } from "./host.ts";

export const everyPermission: readonly Permission[] = ["net", "write", "env", "sys"];

/** `unchanged`: nothing is dropped, because the command reports its permissions. */
export type Kept = readonly Permission[] | "unchanged";

export interface FlagOption {
  readonly kind: "flag";
  readonly help: string;
}

export interface TextOption {
  readonly kind: "text";
  readonly help: string;
  /** Shown in help as `<value>`; completions offer paths for file, dir, path and place. */
  readonly value: string;
  readonly required?: true;
  readonly repeat?: true;
  readonly default?: string;
  readonly choices?: readonly string[];
  /** Another spelling after `--`: accepted, but not shown. */
  readonly alias?: string;
}

export type Option = FlagOption | TextOption;

export function flag(help: string): FlagOption {
  return { kind: "flag", help };
}

type Details = Omit<TextOption, "kind" | "value" | "help">;
type Plain = Pick<TextOption, "kind" | "value" | "help">;

export function text(value: string, help: string): Plain;
export function text<const D extends Details>(value: string, help: string, details: D): Plain & D;
export function text(value: string, help: string, details: Details = {}): TextOption {
  return { kind: "text", value, help, ...details };
}

export interface Argument {
  readonly help: string;
  readonly optional?: true;
  readonly choices?: readonly string[];
  /** The name of an option that can be used instead. */
  readonly or?: string;
  /** For the last argument only: all remaining words. */
  readonly repeat?: true;
}

/** By name; `trustFromMedia` is typed as `--trust-from-media`. */
export type Options = Readonly<Record<string, Option>>;
/** By name, in order. */
export type Arguments = Readonly<Record<string, Argument>>;

type OptionValue<O extends Option> = O extends { kind: "flag" } ? boolean
  : O extends { repeat: true } ? readonly string[]
  : O extends { choices: readonly (infer Choice)[] }
    ? O extends { default: string } ? Choice : Choice | undefined
  : O extends { default: string } | { required: true } ? string
  : string | undefined;

type ArgumentValue<A extends Argument> = A extends { repeat: true } ? readonly string[]
  : A extends { optional: true } ? string | undefined
  : A extends { choices: readonly (infer Choice)[] } ? Choice
  : string;

/** The values that `run` gets for a declaration of options. */
export type Values<O extends Options> = { readonly [K in keyof O]: OptionValue<O[K]> };

/** The same with all values optional: for functions shared by several commands. */
export type Flags<O extends Options> = { readonly [K in keyof O]?: OptionValue<O[K]> | undefined };

export interface Input<A extends Arguments, O extends Options> {
  readonly args: { readonly [K in keyof A]: ArgumentValue<A[K]> };
  readonly options: Values<O & typeof commonOptions>;
}

/** The result of a command: an object for `--json`, and the same as text. */
export interface Result<Json extends object = object> {
  /** Printed after the command's name, `ok` and `code`. */
  readonly json: Json;
  readonly text: string;
  /** The exit code if the work was done but its outcome is not good; default: 0. */
  readonly code?: number;
}

export interface CommandSpec<A extends Arguments, O extends Options, Json extends object> {
  /** The full name: `export bundle verify`. */
  readonly path: string;
  /** Shorter names: `verify`. */
  readonly aliases?: readonly string[];
  readonly summary: string;
  readonly args?: A;
  readonly options?: O;
  /** What the command keeps in addition to read; everything else is dropped before `run` is called. */
  readonly permissions: Kept | ((input: Input<A, O>) => readonly Permission[]);
  readonly examples: readonly string[];
  run(input: Input<A, O>, host: Host): Promise<Result<Json>>;
}

export const commonOptions = {
  config: text("file", "configuration file"),
  json: flag("print one result object on stdout"),
  quiet: flag("print nothing but errors"),
  color: text("when", "when to use colors; auto: on a terminal, unless NO_COLOR is set", {
    choices: ["auto", "always", "never"],
    default: "auto",
  }),
  permissions: flag("print the permissions this command runs with, and exit"),
} satisfies Options;

export type CommonFlags = Flags<typeof commonOptions>;

/** The typed value of an option or argument, before its type is known. */
export type Value = boolean | string | readonly string[] | undefined;

export interface Typed {
  readonly args: Readonly<Record<string, Value>>;
  readonly options: Readonly<Record<string, Value>>;
}

export interface Prepared {
  readonly permissions: Kept;
  run(host: Host): Promise<Result>;
}

/** A declared command as seen by everything but its own `run`. */
export interface Command {
  readonly path: string;
  readonly aliases: readonly string[];
  readonly summary: string;
  readonly args: Arguments;
  /** Without the common options. */
  readonly options: Options;
  readonly examples: readonly string[];
  /** @throws StellaError defect if the input does not have the declared types */
  prepare(typed: Typed): Prepared;
}

type None = Record<never, never>;

export function defineCommand<
  Json extends object,
  const A extends Arguments = None,
  const O extends Options = None,
>(spec: CommandSpec<A, O, Json>): Command {
  const { path, aliases = [], summary, args = {}, options = {}, examples, permissions } = spec;
  const prepare = (typed: Typed): Prepared => {
    if (!isInput<A, O>(typed, args, options)) {
      throw new StellaError("defect", `Cannot run "${path}": its input has other types`);
    }
    return {
      permissions: typeof permissions === "function" ? permissions(typed) : permissions,
      run: (host) => spec.run(typed, host),
    };
  };
  return { path, aliases, summary, args, options, examples, prepare };
}

function isInput<A extends Arguments, O extends Options>(
  typed: Typed,
  args: Arguments,
  options: Options,
): typed is Typed & Input<A, O> {
  return Object.entries(args).every(([name, one]) => isArgument(typed.args[name], one)) &&
    Object.entries({ ...options, ...commonOptions })
      .every(([name, one]) => isOption(typed.options[name], one));
}

function isArgument(value: Value, { optional, repeat, choices }: Argument): boolean {
  if (repeat) return Array.isArray(value);
  if (value === undefined) return optional === true;
  return typeof value === "string" && (choices === undefined || choices.includes(value));
}

function isOption(value: Value, option: Option): boolean {
  if (option.kind === "flag") return typeof value === "boolean";
  const { repeat, required, choices, default: usual } = option;
  if (repeat) return Array.isArray(value);
  if (value === undefined) return required !== true && usual === undefined;
  return typeof value === "string" && (choices === undefined || choices.includes(value));
}

/** `trustFromMedia` -> `--trust-from-media`. */
export function flagOf(name: string): string {
  return `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}
