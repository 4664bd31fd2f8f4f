/** The commit section: building, testing and running without a network. */
import assert from "node:assert/strict";
import { isLong, tool } from "../support/needs.ts";
import { root } from "../support/program.ts";
import { askedWith } from "./asked.ts";

/** Some containers forbid namespaces even to root. */
function mayUnshare(): boolean {
  const user = Deno.uid() === 0 ? [] : ["-r"];
  const args = [...user, "-n", "true"];
  return tool("unshare") !== undefined &&
    new Deno.Command("unshare", { args, stderr: "null" }).outputSync().success;
}

const needs = {
  tools: ["unshare", "ip"],
  others: { "the right to make a namespace": mayUnshare() },
};

/** Runs a task to completion. @returns what it printed */
async function task(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["task", "--quiet", ...args],
    cwd: root,
  }).output();
  const text = new TextDecoder();
  const printed = text.decode(stdout) + text.decode(stderr);
  assert.equal(code, 0, printed);
  return printed;
}

Deno.test(askedWith(
  { ...needs, others: { ...needs.others, STELLA_TEST_LONG: isLong } },
  45,
  "continuous integration builds and tests from a warmed cache without a network",
  async () => {
    const printed = await task("ci:offline", "tests/std");
    assert.match(printed, /\bok\b.* \| \d+ passed/);
    assert.match(printed, /ci: all of it without a network/);
  },
));

Deno.test(
  askedWith(needs, 45, "the program exports, verifies and serves without a network", async () => {
    assert.match(await task("sealed-smoke"), /smoke: all of it without a network/);
  }),
);
