/**
 * Progress on stderr: a line that is rewritten on a terminal, a line per five seconds elsewhere,
 * nothing with --quiet or --json.
 */
import type { Host } from "./host.ts";
import { sizeText } from "./render.ts";

const terminalPause = 100;
const linePause = 5000;
/** Share of the work, or milliseconds, before which the remaining time would be a guess. */
const minShare = 0.01;
const minTime = 5000;

/** State of a phase when it was first reported: earlier work took none of its time. */
interface Start {
  phase: string;
  at: number;
  done: number;
  share: number;
}

export class ProgressLine {
  #start: Start | undefined;
  #said: number;
  #width = 0;

  constructor(readonly host: Host, readonly quiet: boolean) {
    this.#said = host.now();
  }

  /** @param total 0: not known @param share done, 0 to 1, if bytes alone do not say it */
  update(phase: string, done: number, total: number, share = done / total): void {
    if (this.quiet) return;
    const columns = this.host.columns();
    const now = this.host.now();
    if (phase !== this.#start?.phase) this.#start = { phase, at: now, done, share };
    if (now - this.#said < (columns === undefined ? linePause : terminalPause)) return;
    this.#said = now;
    const start = this.#start;
    const seconds = (now - start.at) / 1000;
    const rate = seconds > 0 ? (done - start.done) / seconds : 0;
    const isKnown = share - start.share >= minShare || now - start.at >= minTime;
    const left = isKnown ? seconds * (1 - share) / (share - start.share) : NaN;
    this.#show(progressText(phase, done, total, rate, left), columns);
  }

  /** Prints a note in addition to the progress, immediately. */
  note(text: string): void {
    if (!this.quiet) this.#show(text, this.host.columns());
  }

  #show(text: string, columns: number | undefined): void {
    if (columns === undefined) return this.host.stderr(`${text}\n`);
    const cut = text.slice(0, columns - 1);
    this.host.stderr(`\r${cut.padEnd(this.#width)}`);
    this.#width = cut.length;
  }

  /** Erases the line before the result is printed. */
  end(): void {
    if (this.#width > 0) this.host.stderr(`\r${" ".repeat(this.#width)}\r`);
    this.#width = 0;
  }
}

/** @param rate bytes a second @param left seconds; shown where it is a number */
function progressText(phase: string, done: number, total: number, rate: number, left: number) {
  if (total === 0) return `${phase}  ${sizeText(done)}`;
  const percent = `${Math.floor((100 * done) / total)}%`;
  const time = Number.isFinite(left) ? `, ${timeText(left)} left` : "";
  return `${phase}  ${percent} of ${sizeText(total)}, ${sizeText(Math.round(rate))}/s${time}`;
}

function timeText(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const minutes = Math.floor(whole / 60);
  return minutes === 0 ? `${whole} s` : `${minutes} min ${whole % 60} s`;
}
