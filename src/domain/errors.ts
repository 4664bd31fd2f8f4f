/**
 * The one error family. Rooms throw StellaError with a code from this closed list; cli renders it
 * as text, JSON and exit code, server as an RFC 9457 problem. Nothing below main.ts ends the
 * process.
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

/** What a status of the API means where its answer does not say more; RFC 9110, 6585 and 4918. */
export const statusCodes: Readonly<Record<number, ErrorCode>> = {
  400: "usage",
  401: "policy",
  403: "policy",
  404: "not_found",
  409: "conflict",
  413: "usage",
  415: "usage",
  416: "usage",
  421: "usage",
  422: "usage",
  429: "busy",
  431: "usage",
  503: "busy",
  507: "media",
};

/**
 * One thing that is wrong, for a person and for a program. Text fields may hold attacker text:
 * render escaped.
 */
export interface Finding {
  code: ErrorCode;
  /**
   * A stable slug, such as `digest_mismatch`; the metric label of attestation failures is one of
   * these.
   */
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
 * A path that the runtime opens only with all permissions: below /dev, /proc and /sys, including
 * /dev/shm. Undefined for any other error.
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

/**
 * What the system answers about a path or a medium, in words: the errno and the system call help
 * nobody who typed a path.
 */
interface PathFault {
  reason: string;
  hint?: string;
  code?: ErrorCode;
}

const freeSpace = "free space on the target, or choose another one";

const pathFaults: Readonly<Record<string, PathFault>> = {
  ENOENT: {
    reason: "no such file or directory",
    hint: "check the path, and that the medium is mounted",
  },
  ENOTDIR: { reason: "a part of the path is not a directory" },
  EISDIR: { reason: "it is a directory" },
  ELOOP: { reason: "too many levels of symbolic links" },
  ENAMETOOLONG: { reason: "the name is too long" },
  EACCES: { reason: "permission denied" },
  EPERM: { reason: "operation not permitted" },
  EMFILE: { reason: "too many open files", hint: "allow more open files: ulimit -n" },
  ENFILE: { reason: "too many open files in the whole system" },
  ENXIO: { reason: "no such device or address" },
  ENODEV: { reason: "no such device" },
  EBUSY: { reason: "it is in use" },
  ETXTBSY: { reason: "it is a program that is running" },
  EXDEV: { reason: "it lies on another file system" },
  EIO: { reason: "input/output error" },
  EROFS: { reason: "the file system is read-only", hint: "choose another target" },
  EFBIG: { reason: "the file is too large for its file system" },
  ENOSPC: { reason: "no space left on the device", hint: freeSpace },
  EDQUOT: { reason: "the disk quota is used up", hint: freeSpace },
  ESTALE: { reason: "stale file handle of a network file system" },
  EEXIST: { reason: "it exists already", code: "conflict" },
  ENOTEMPTY: { reason: "the directory is not empty", code: "conflict" },
};

/** The errno of what a call on a file threw; empty for anything else. */
export function errnoOf(thrown: unknown): string {
  const code = (thrown as { code?: unknown } | null | undefined)?.code;
  return typeof code === "string" ? code : "";
}

/** Why a call on a file failed, in words. */
export function ioReason(cause: unknown): string {
  return pathFaults[errnoOf(cause)]?.reason ?? messageOf(cause);
}

/**
 * Wraps what a call on a file threw. A path that cannot be used and a medium that is full,
 * read-only or failing are code 12, never a finding about content.
 */
export function ioError(action: string, path: string, cause: unknown): StellaError {
  const reserved = reservedPlace(cause);
  if (reserved !== undefined) return reserved;
  const fault = pathFaults[errnoOf(cause)];
  const code = fault === undefined ? "usage" : fault.code ?? "media";
  const text = `${action} ${JSON.stringify(path)}: ${ioReason(cause)}`;
  const { hint } = fault ?? {};
  return new StellaError(code, text, hint === undefined ? { cause } : { cause, hint });
}

/** What a call on a file threw where nobody knew more about it; undefined for any other error. */
export function uncaughtIoError(thrown: unknown): StellaError | undefined {
  if (!(thrown instanceof Error) || pathFaults[errnoOf(thrown)] === undefined) return undefined;
  // node: has the path beside the text; Deno's own calls have it in the text alone.
  const { path } = thrown as { path?: unknown };
  const named = typeof path === "string" ? path : /: \w+ '(.*)'$/s.exec(thrown.message)?.[1];
  return named === undefined ? undefined : ioError("Cannot use", named, thrown);
}

/** Whether a disk or a quota is full: whoever asked can do nothing about it but ask for less. */
export function isOutOfSpace({ cause }: StellaError): boolean {
  return ["ENOSPC", "EDQUOT"].includes(errnoOf(cause)) ||
    /database or disk is full/.test(cause === undefined ? "" : messageOf(cause));
}
