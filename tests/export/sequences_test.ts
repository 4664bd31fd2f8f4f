/** Sequences: which number a state gets; two states never get the same one. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { manifestName, stateOf } from "../../src/bundle/manifest.ts";
import { readManifest } from "../../src/bundle/read_manifest.ts";
import { type Counter, sequencer } from "../../src/export/sequences.ts";
import { exportToStore } from "../../src/export/stored_export.ts";
import { withDirectory, writeFiles } from "../support/bundle_fixture.ts";
import { inDirectory, optionsFor, refusal, run } from "../support/run_export.ts";

const [a, b, c] = ["a", "b", "c"].map((digit) => digit.repeat(64)) as [string, string, string];

function counterIn(directory: string, more: Partial<Counter> = {}): Counter {
  return { directory, tenant: "t", profile: "p", uuid: () => crypto.randomUUID(), ...more };
}

/** Reserves numbers for states, one after another. */
async function numbers(counter: Counter, states: readonly (string | [string, number])[]) {
  const found: (number | undefined)[] = [];
  for (const one of states) {
    const [state, asked] = typeof one === "string" ? [one, undefined] : one;
    found.push(await sequencer(counter, asked)(state));
  }
  return found;
}

Deno.test("a state keeps its number, another gets the next, and a former state gets a new one", () =>
  withDirectory(async (root) => {
    const counter = counterIn(join(root, "state"));
    assert.deepEqual(await numbers(counter, [a, a, b, b, a, c]), [1, 1, 2, 2, 3, 4]);
  }));

Deno.test("each profile of each tenant has its own sequence", () =>
  withDirectory(async (root) => {
    assert.deepEqual(await numbers(counterIn(root), [a, b]), [1, 2]);
    assert.deepEqual(await numbers(counterIn(root, { tenant: "u" }), [a, b, c]), [1, 2, 3]);
    assert.deepEqual(await numbers(counterIn(root, { profile: "q" }), [c]), [1]);
    assert.deepEqual(await numbers(counterIn(root), [c]), [3]);
  }));

Deno.test("states that are exported at once get different numbers", () =>
  withDirectory(async (root) => {
    const states = Array.from({ length: 20 }, (_, i) => i.toString(16).padStart(64, "0"));
    const found = await Promise.all(states.map((state) => sequencer(counterIn(root))(state)));
    assert.deepEqual(found.toSorted((x = 0, y = 0) => x - y), states.map((_, i) => i + 1));
  }));

Deno.test("a chosen number raises the last one and never lowers it", () =>
  withDirectory(async (root) => {
    const counter = counterIn(root);
    assert.deepEqual(await numbers(counter, [[a, 41], b, [a, 7], c]), [41, 42, 7, 43]);
  }));

Deno.test("a chosen number that another state has is refused as a fork", () =>
  withDirectory(async (root) => {
    const counter = counterIn(root);
    await numbers(counter, [a, b]);
    const { code, error } = await refusal(() => sequencer(counter, 2)(c));
    assert.deepEqual([code, error.reason], [11, "fork"]);
    assert.deepEqual(await numbers(counter, [[b, 2], c]), [2, 3]);
  }));

Deno.test("there is no number after the largest integer", () =>
  withDirectory(async (root) => {
    const counter = counterIn(root);
    await numbers(counter, [[a, Number.MAX_SAFE_INTEGER]]);
    assert.equal((await refusal(() => sequencer(counter)(b))).error.reason, "state_conflict");
  }));

Deno.test("a damaged file of the last numbers is an error with a hint", () =>
  withDirectory(async (root) => {
    for (const text of ["", "{}", '{"schemaVersion":2,"sequences":[]}', "[1", "x".repeat(99)]) {
      writeFileSync(join(root, "sequences.json"), text);
      const { code, error } = await refusal(() => sequencer(counterIn(root))(a));
      assert.deepEqual([code, error.reason], [2, "state_invalid"], text);
      assert.match(error.hint ?? "", /--sequence/);
    }
  }));

Deno.test("a bundle has the number of its state, and no field without one", () =>
  inDirectory(async (out, input) => {
    const state = join(out, "state");
    const numbered = { sequencer: sequencer(counterIn(state)) };
    const manifestOf = (name: string) => readManifest(readFileSync(join(out, name, manifestName)));
    const first = await run(join(out, "1"), input, numbered);
    const plain = await run(join(out, "2"), input, { ...numbered, compression: "none" });
    assert.deepEqual([first.sequence, plain.sequence], [1, 1]);
    assert.equal(manifestOf("1").sequence, 1);
    writeFiles(input, { "new.txt": "new" });
    assert.equal((await run(join(out, "3"), input, numbered)).sequence, 2);
    const none = await run(join(out, "4"), input);
    assert.equal(none.sequence, undefined);
    assert.equal("sequence" in manifestOf("4"), false);
    assert.equal(stateOf(manifestOf("3")), stateOf(manifestOf("4")));
  }));

/** Exports into the store of a service in `state`. */
async function stored(state: string, input: string, n: number) {
  const exportId = `019b76da-a800-7000-8000-${String(n).padStart(12, "0")}`;
  const all = optionsFor("", input);
  const keys = { ...all, verify: () => Promise.resolve(undefined) };
  return (await exportToStore({ exportId, state }, all, keys, all)).sequence;
}

Deno.test("a service numbers its bundles and recovers the last number from its store if the file is lost or old", () =>
  inDirectory(async (out, input) => {
    const state = join(out, "state");
    const file = join(state, "sequences.json");
    assert.deepEqual([await stored(state, input, 1), await stored(state, input, 2)], [1, 1]);
    const old = readFileSync(file);
    writeFiles(input, { "a.txt": "second" });
    assert.equal(await stored(state, input, 3), 2);
    Deno.removeSync(file);
    assert.equal(await stored(state, input, 4), 2);
    writeFiles(input, { "a.txt": "third" });
    Deno.removeSync(file);
    assert.equal(await stored(state, input, 5), 3);
    writeFileSync(file, old);
    writeFiles(input, { "a.txt": "fourth" });
    assert.equal(await stored(state, input, 6), 4);
  }));

Deno.test("the number of a stored bundle is not given to another state, whatever the file of last numbers has", () =>
  inDirectory(async (out, input) => {
    const state = join(out, "state");
    await stored(state, input, 1);
    Deno.removeSync(join(state, "sequences.json"));
    const { error } = await refusal(() => sequencer(counterIn(state), 1)(a));
    assert.equal(error.reason, "fork");
  }));
