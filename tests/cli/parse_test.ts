/** Parsing command lines by declarations: typed values, and all mistakes reported at once. */
import assert from "node:assert/strict";
import { type Command, defineCommand } from "../../src/cli/command.ts";
import { nearest, parse } from "../../src/cli/parse.ts";

const command = defineCommand({
  path: "send",
  summary: "Send a bundle",
  args: {
    place: { help: "what", or: "manifest" },
    to: { help: "where" },
    more: { help: "further targets", optional: true, repeat: true },
  },
  options: {
    manifest: { kind: "text", help: "the same as place", value: "place" },
    force: { kind: "flag", help: "overwrite" },
    layout: {
      kind: "text",
      help: "of the payload",
      value: "kind",
      choices: ["archive", "directory"],
      default: "archive",
    },
    trust: { kind: "text", help: "keys", value: "path", repeat: true },
    server: { kind: "text", help: "service", value: "url", alias: "url" },
    keyFile: { kind: "text", help: "a key", value: "file", required: true },
  },
  permissions: ["net"],
  examples: ["stella send"],
  run: ({ args, options }) =>
    Promise.resolve({
      json: {
        // The types follow from the declaration: these lines do not compile otherwise.
        place: args.place satisfies string,
        more: args.more satisfies readonly string[],
        force: options.force satisfies boolean,
        layout: options.layout satisfies "archive" | "directory",
        trust: options.trust satisfies readonly string[],
        server: options.server satisfies string | undefined,
        keyFile: options.keyFile satisfies string,
        json: options.json satisfies boolean,
      },
      text: "",
    }),
});

const textsOf = (words: string[], of: Command = command) =>
  parse(of, words).faults.map(({ text }) => text);
const valuesOf = (words: string[]) => {
  const { typed, faults } = parse(command, words);
  assert.deepEqual(faults, [], words.join(" "));
  return { ...typed.args, ...typed.options };
};

Deno.test("options and arguments come in any order, with their defaults", () => {
  const expected = {
    place: "a",
    to: "b",
    more: ["c", "d"],
    manifest: undefined,
    force: true,
    layout: "directory",
    trust: ["x", "-y"],
    server: undefined,
    keyFile: "k",
    config: undefined,
    json: false,
    quiet: false,
    color: "auto",
    permissions: false,
  };
  const options = [
    "--force",
    "--layout=directory",
    "--trust",
    "x",
    "--trust=-y",
    "--key-file",
    "k",
  ];
  assert.deepEqual(valuesOf([...options, "a", "b", "c", "d"]), expected);
  assert.deepEqual(valuesOf(["a", "--key-file=k", "b", ...options, "c", "d"]), expected);
});

Deno.test("aliases, repeated values and words after -- are parsed", () => {
  const values = valuesOf(["--url", "u", "--key-file", "1", "--key-file", "2", "-", "--", "--x"]);
  assert.deepEqual([values.server, values.keyFile, values.place, values.to], [
    "u",
    "2",
    "-",
    "--x",
  ]);
});

Deno.test("an argument that was given as an option takes no positional word", () => {
  const { place, to } = valuesOf(["--manifest", "m", "b", "--key-file=k"]);
  assert.deepEqual([place, to], ["m", "b"]);
  assert.deepEqual(textsOf(["b", "--key-file=k"]), [
    "missing argument <place>, or --manifest",
  ]);
  const twice = defineCommand({
    path: "read",
    summary: "Read",
    args: { place: { help: "what", or: "manifest" } },
    options: { manifest: { kind: "text", help: "same", value: "place" } },
    permissions: [],
    examples: [],
    run: () => Promise.resolve({ json: {}, text: "" }),
  });
  assert.deepEqual(textsOf(["a", "--manifest", "m"], twice), ['unexpected argument "a"']);
});

Deno.test("all mistakes are reported at once, each with a suggestion", () => {
  const words = ["--forse", "--layout", "zip", "--json=yes", "--trust", "--color", "red"];
  const { faults } = parse(command, words);
  assert.deepEqual(faults.map(({ text }) => text), [
    'unknown option "--forse"',
    "option --json takes no value",
    "option --trust needs a value: --trust <path>",
    '--layout "zip" is not one of archive, directory',
    "missing option --key-file <file>",
    '--color "red" is not one of auto, always, never',
    "missing argument <place>, or --manifest",
    "missing argument <to>",
  ]);
  assert.deepEqual(faults.flatMap(({ hint }) => hint ?? []), ["use --force"]);
});

Deno.test("--help is recognized anywhere before --", () => {
  for (const words of [["--help"], ["-h"], ["--no-such", "-h"]]) {
    assert.equal(parse(command, words).isHelp, true);
  }
  assert.equal(parse(command, ["--", "--help"]).isHelp, false);
});

Deno.test("typed text is escaped in messages", () => {
  assert.deepEqual(textsOf(["a", "b", "--key-file=k", "--\u001b[2J"]), [
    'unknown option "--\\u{1b}[2J"',
  ]);
});

Deno.test("a suggestion covers swapped, missing, wrong and extra letters", () => {
  const all = ["verify", "version", "list", "push"];
  const typed = ["verfiy", "verify", "versoin", "lst", "pushh", "pull", "x", "v".repeat(9_999)];
  assert.deepEqual(typed.map((word) => nearest(word, all)), [
    ...["verify", "verify", "version", "list", "push"],
    ...[undefined, undefined, undefined],
  ]);
});

Deno.test("a command is not run with values of other types than it declares", () => {
  const { typed } = parse(command, ["a", "b", "--key-file=k"]);
  assert.deepEqual(command.prepare(typed).permissions, ["net"]);
  const wrong = [
    { ...typed, args: { ...typed.args, place: undefined } },
    { ...typed, args: { ...typed.args, more: "c" } },
    { ...typed, options: { ...typed.options, force: "yes" } },
    { ...typed, options: { ...typed.options, layout: "zip" } },
    { ...typed, options: { ...typed.options, keyFile: undefined } },
    { ...typed, options: { ...typed.options, json: undefined } },
  ];
  for (const one of wrong) assert.throws(() => command.prepare(one), { kind: "defect" });
});
