/**
 * Progress on stderr: phase, bytes, rate and time left. One line that is rewritten on a terminal, a line per five seconds
 * elsewhere, nothing with --quiet or --json.
 */
import type { Host } from "./host.ts";
import { sizeText } from "./render.ts";

const terminalPause = 100;
const linePause = 5000;

export class ProgressLine {
  readonly #started: number;
  #said: number;
  #width = 0;

  constructor(readonly host: Host, readonly quiet: boolean) {
    this.#said = this.#started = host.now();
  }

  /** `total` 0: not known. */
  update(phase: string, done: number, total: number): void {
    if (this.quiet) return;
    const columns = this.host.columns();
    const now = this.host.now();
    if (now - this.#said < (columns === undefined ? linePause : terminalPause)) return;
    this.#said = now;
    this.#show(progressText(phase, done, total, (now - this.#started) / 1000), columns);
  }

  /** Something to know besides the progress; never kept back. */
  note(text: string): void {
    if (!this.quiet) this.#show(text, this.host.columns());
  }

  #show(text: string, columns: number | undefined): void {
    if (columns === undefined) return this.host.stderr(`${text}\n`);
    const cut = text.slice(0, columns - 1);
    this.host.stderr(`\r${cut.padEnd(this.#width)}`);
    this.#width = cut.length;
  }

  /** Takes the line away, so that the result stands alone. */
  end(): void {
    if (this.#width > 0) this.host.stderr(`\r${" ".repeat(this.#width)}\r`);
    this.#width = 0;
  }
}

export function progressText(phase: string, done: number, total: number, seconds: number): string {
  const rate = seconds > 0 ? done / seconds : 0;
  const speed = `${sizeText(Math.round(rate))}/s`;
  if (total === 0) return `${phase}  ${sizeText(done)}`;
  const percent = `${Math.floor((100 * done) / total)}%`;
  const left = rate > 0 ? `, ${timeText((total - done) / rate)} left` : "";
  return `${phase}  ${percent} of ${sizeText(total)}, ${speed}${left}`;
}

function timeText(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const minutes = Math.floor(whole / 60);
  return minutes === 0 ? `${whole} s` : `${minutes} min ${whole % 60} s`;
}
