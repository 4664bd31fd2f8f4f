/**
 * The one error family. Rooms throw StellaError with a code from this closed list; cli renders it
 * as text, JSON and exit code, server as an RFC 9457 problem. Nothing below main.ts ends the process.
 *
 * The codes are a contract with scripts: they never change meaning. Two names may share a number:
 * scripts tell them apart by the name, which is in the JSON result.
 */
export const exitCodes = {
  ok: 0,
  internal: 1,
  usage: 2,
  manifest: 3,
  signature: 4,
  untrusted: 5,
  missing: 6,
  digest: 7,
  unexpected: 8,
  unsafe: 9,
  truncated: 10,
  base: 11,
  media: 12,
  registry: 13,
  /** Something is in the way, or another holder has it. */
  conflict: 14,
  /** A queue is full or a service is busy: the same command may succeed later. */
  busy: 14,
  /** Refused by the egress policy, a permission or a token's scope. */
  policy: 15,
  /** A query without an answer, an unknown job or page. */
  not_found: 16,
  /** The data is there, but older than the caller allows. */
  stale: 16,
  interrupted: 130,
} as const;

export type ErrorCode = Exclude<keyof typeof exitCodes, "ok">;

/** One thing that is wrong, for a person and for a program. Text fields may hold attacker text: render escaped. */
export interface Finding {
  code: ErrorCode;
  /** A stable slug, such as `digest_mismatch`; the metric label of attestation failures is one of these. */
  reason: string;
  /** The file it is about, as the manifest or the index spells it. */
  path?: string;
  /** Byte range [from, to) in `path`, or line of a text file as `line`. */
  range?: [number, number];
  line?: number;
  found?: string;
  expected?: string;
  /** What to do next. */
  hint?: string;
}

export class StellaError extends Error {
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  /** Everything found, where one message is not enough. */
  readonly findings: readonly Finding[];

  constructor(
    code: ErrorCode,
    message: string,
    options: { hint?: string; cause?: unknown; findings?: readonly Finding[] } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "StellaError";
    this.code = code;
    this.hint = options.hint;
    this.findings = options.findings ?? [];
  }

  get exitCode(): number {
    return exitCodes[this.code];
  }
}

/** The message of anything that was thrown. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

/**
 * A path that the run time opens to nobody who is not permitted everything: below /dev, /proc and /sys, which /dev/shm is too
 * (platform.md, trap 1). Undefined for any other error.
 */
export function reservedPlace(thrown: unknown): StellaError | undefined {
  const found = /^Requires all access to (".*"), run again/s.exec(messageOf(thrown));
  if (found === null) return undefined;
  const text = `Cannot use ${found[1]}: nothing below /dev, /proc and /sys is opened`;
  return new StellaError("usage", text, {
    cause: thrown,
    hint: "put it elsewhere: a tmpfs that is mounted at another place will do",
  });
}

const mediaErrnos = new Set(["ENOSPC", "EDQUOT", "EIO", "EROFS", "EFBIG", "ENODEV", "ENXIO"]);

/** Wraps an I/O error: a full, read-only or failing medium is code 12, never a finding about content. */
export function ioError(action: string, path: string, cause: unknown): StellaError {
  const reserved = reservedPlace(cause);
  if (reserved !== undefined) return reserved;
  const errno = (cause as { code?: string } | null)?.code ?? "";
  const hint = errno === "ENOSPC" || errno === "EDQUOT"
    ? "free space on the target, or choose another one"
    : errno === "EROFS"
    ? "the target is read-only: choose another one"
    : undefined;
  const code: ErrorCode = mediaErrnos.has(errno) ? "media" : "usage";
  const text = `${action} ${JSON.stringify(path)}: ${messageOf(cause)}`;
  return new StellaError(code, text, hint === undefined ? { cause } : { cause, hint });
}
