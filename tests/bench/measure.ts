/**
 * Measurements in turns: the measured stella, an older one where it is given, and a peer run after
 * each other, as often as there are pairs, so that a noisy machine is noisy for all. What counts is
 * the median of the ratios within a turn, with 95 % bounds by bootstrap.
 */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Home } from "../support/program.ts";

export interface Ran {
  seconds: number;
  /** User and system time of all processes, seconds. */
  cpu: number;
  /** Peak of the largest process, MiB. */
  memory: number;
}

/** The words of a command, by the binary that it measures. */
export type Words = (stella: string) => string[];

export interface Work {
  name: string;
  ours: Words;
  /** What does the same by other tools. */
  peer?: { name: string; words: string[] };
  /** The ratio to the peer that section 5 of the design asks for. */
  goal?: number;
  /** Clears what the run before left. */
  before?(): void;
  /** Turns for each pair that was asked for: more for short commands. */
  turns?: number;
  /** Runs of the command for each measurement, for commands of a few milliseconds. */
  repeat?: number;
}

export interface Ratio {
  median: number;
  /** 95 % bounds of the median. */
  bounds: [low: number, high: number];
}

export interface Row {
  name: string;
  goal?: number;
  peer?: string;
  /** Medians. */
  figures: Partial<Record<"new" | "base" | "peer", Ran>>;
  ratios: Partial<Record<"wallToBase" | "cpuToBase" | "wallToPeer", Ratio>>;
  /** The lower bound of a ratio to the base is above 1.05. */
  slower: boolean;
}

/** The runs of each side, turn by turn. */
export type Runs = Record<"new" | "base" | "peer", Ran[]>;

export class Measurement {
  readonly home = new Home();
  readonly rows: Row[] = [];

  /** @param base a binary that is measured beside `binary` @param pairs turns of each row */
  constructor(
    readonly binary: string,
    readonly base: string | undefined,
    readonly pairs: number,
    readonly place: string,
  ) {}

  /** Runs a command under GNU time, which knows the peak of memory. @throws Error if it fails */
  run(words: readonly string[], repeat = 1): Ran {
    const report = join(this.home.path, "time");
    const loop = ["sh", "-ec", `for i in $(seq ${repeat}); do "$@"; done`, "sh"];
    const timed = ["-f", "%M %U %S", "-o", report, ...(repeat > 1 ? loop : []), ...words];
    const started = performance.now();
    const { status, stderr } = spawnSync("/usr/bin/time", timed, {
      cwd: this.place,
      env: this.home.environment(),
      stdio: ["ignore", "ignore", "pipe"],
    });
    const seconds = (performance.now() - started) / 1000 / repeat;
    if (status !== 0) throw new Error(`${words.join(" ")}: ${status}\n${stderr}`);
    const [kibibytes = 0, user = 0, system = 0] = readFileSync(report, "utf8").trim().split(/\s+/)
      .map(Number);
    return { seconds, cpu: (user + system) / repeat, memory: Math.round(kibibytes / 1024) };
  }

  /** Measures one work, prints its row and keeps it. */
  measure(work: Work): void {
    const { binary, base } = this;
    const sides = [
      ["new", work.ours(binary)] as const,
      ...(base === undefined ? [] : [["base", work.ours(base)] as const]),
      ...(work.peer === undefined ? [] : [["peer", work.peer.words] as const]),
    ];
    const runs: Runs = { new: [], base: [], peer: [] };
    // The first turn fills caches and does not count.
    for (let turn = -1; turn < this.pairs * (work.turns ?? 1); turn++) {
      for (const [side, words] of turn % 2 === 0 ? sides : sides.toReversed()) {
        work.before?.();
        const ran = this.run(words, work.repeat);
        if (turn >= 0) runs[side].push(ran);
      }
    }
    const { name, goal, peer } = work;
    this.keep({ name, ...(goal && { goal }), ...(peer && { peer: peer.name }) }, runs);
  }

  /** Adds the row of a work that was run in turns, and prints it. */
  keep({ name, goal, peer }: Pick<Row, "name" | "goal" | "peer">, runs: Runs): void {
    const figures: Row["figures"] = {};
    for (const side of ["new", "base", "peer"] as const) {
      if (runs[side].length > 0) figures[side] = medians(runs[side]);
    }
    const ratios: Row["ratios"] = {};
    if (runs.base.length > 0) {
      ratios.wallToBase = ratio(runs.new, runs.base, "seconds");
      ratios.cpuToBase = ratio(runs.new, runs.base, "cpu");
    }
    if (runs.peer.length > 0) ratios.wallToPeer = ratio(runs.new, runs.peer, "seconds");
    const slower = [ratios.wallToBase, ratios.cpuToBase].some((one) => one && one.bounds[0] > 1.05);
    const row = {
      name,
      ...(goal === undefined ? {} : { goal }),
      ...(peer === undefined ? {} : { peer }),
      figures,
      ratios,
      slower,
    };
    this.rows.push(row);
    say(lineOf(row));
  }
}

export function say(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${text}\n`));
}

export const heading = `| work | new | base | wall to base | CPU to base | peer | to peer | goal |
| --- | --- | --- | --- | --- | --- | --- | --- |`;

function lineOf({ name, goal, peer, figures, ratios, slower }: Row): string {
  const ran = (one?: Ran) => one ? `${one.seconds.toFixed(3)} s, ${one.memory} MiB` : "-";
  const text = (one?: Ratio) =>
    one
      ? `${one.median.toFixed(2)} [${one.bounds.map((bound) => bound.toFixed(2)).join(", ")}]`
      : "-";
  const cells = [
    slower ? `${name} SLOWER` : name,
    ran(figures.new),
    ran(figures.base),
    text(ratios.wallToBase),
    text(ratios.cpuToBase),
    peer === undefined ? "-" : `${peer}: ${ran(figures.peer)}`,
    text(ratios.wallToPeer),
    goal === undefined ? "-" : `<= ${goal}`,
  ];
  return `| ${cells.join(" | ")} |`;
}

function medians(runs: readonly Ran[]): Ran {
  const of = (name: keyof Ran) => median(runs.map((ran) => ran[name]));
  return {
    seconds: of("seconds"),
    cpu: of("cpu"),
    memory: Math.max(...runs.map(({ memory }) => memory)),
  };
}

function ratio(ours: readonly Ran[], theirs: readonly Ran[], of: "seconds" | "cpu"): Ratio {
  const all = ours.map((ran, turn) => ran[of] / (theirs[turn]?.[of] ?? NaN));
  return { median: median(all), bounds: bounds(all) };
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const [low = NaN, high = NaN] = [sorted.length - 1, sorted.length]
    .map((at) => sorted[Math.floor(at / 2)]);
  return (low + high) / 2;
}

/** 95 % bounds of the median: 2,000 samples with replacement, always the same ones. */
function bounds(values: readonly number[]): [number, number] {
  let state = 7;
  const random = () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
  const draw = () => values[Math.floor(random() * values.length)] ?? NaN;
  const all = Array.from({ length: 2_000 }, () => median(values.map(draw)));
  all.sort((a, b) => a - b);
  return [all[50] ?? NaN, all[1_949] ?? NaN];
}
