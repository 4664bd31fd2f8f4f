/** Errors of calls on files: what the system answers about a path or a medium, in words. */
import { messageOf, type Reason, StellaError } from "./errors.ts";

const freeSpace = "free space on the target, or choose another one";

/** What the system answers about a path or a medium: errno -> reason, in words, and what to do. */
const pathFaults: Readonly<Record<string, readonly [Reason, string, string?]>> = {
  ENOENT: [
    "path_missing",
    "no such file or directory",
    "check the path, and that the medium is mounted",
  ],
  ENOTDIR: ["path_missing", "a part of the path is not a directory"],
  EISDIR: ["path_unusable", "it is a directory"],
  ELOOP: ["path_unusable", "too many levels of symbolic links"],
  ENAMETOOLONG: ["path_unusable", "the name is too long"],
  EACCES: ["permission_denied", "permission denied"],
  EPERM: ["permission_denied", "operation not permitted"],
  EMFILE: ["too_many_open_files", "too many open files", "allow more open files: ulimit -n"],
  ENFILE: ["too_many_open_files", "too many open files in the whole system"],
  ENXIO: ["path_unusable", "no such device or address"],
  ENODEV: ["path_unusable", "no such device"],
  EBUSY: ["path_unusable", "it is in use"],
  ETXTBSY: ["path_unusable", "it is a program that is running"],
  EXDEV: ["path_unusable", "it is on another file system"],
  EIO: ["medium_failed", "input/output error"],
  EROFS: ["read_only", "the file system is read-only", "choose another target"],
  EFBIG: ["path_unusable", "the file is too large for its file system"],
  ENOSPC: ["no_space", "no space left on the device", freeSpace],
  EDQUOT: ["no_space", "the disk quota is used up", freeSpace],
  ESTALE: ["medium_failed", "stale file handle of a network file system"],
  EEXIST: ["output_exists", "it exists already"],
  ENOTEMPTY: ["output_exists", "the directory is not empty"],
};

/** The errno of what a call on a file threw; empty for anything else. */
export function errnoOf(thrown: unknown): string {
  const code = (thrown as { code?: unknown } | null | undefined)?.code;
  return typeof code === "string" ? code : "";
}

/** Why a call on a file failed, in words: errno and system call help nobody who typed a path. */
export function ioReason(cause: unknown): string {
  return pathFaults[errnoOf(cause)]?.[1] ?? messageOf(cause);
}

/** Wraps what a call on a file threw: kind io, never a finding about content. */
export function ioError(action: string, path: string, cause: unknown): StellaError {
  const [reason = "path_unusable", , hint] = pathFaults[errnoOf(cause)] ?? [];
  if (!isReserved(cause)) {
    const text = `${action} ${JSON.stringify(path)}: ${ioReason(cause)}`;
    return new StellaError(reason, text, { cause, hint });
  }
  const text = `${action} ${JSON.stringify(path)}: files below /dev, /proc and /sys are not opened`;
  const elsewhere = "choose another directory: a tmpfs mounted elsewhere works";
  return new StellaError("path_reserved", text, { cause, hint: elsewhere });
}

/** What `call` on a file returns. @throws StellaError: its own, or `ioError` for any other */
export function tryIo<Result>(action: string, path: string, call: () => Result): Result {
  try {
    return call();
  } catch (error) {
    throw error instanceof StellaError ? error : ioError(action, path, error);
  }
}

/** What a call on a file threw where nobody knew more about it; undefined for any other error. */
export function uncaughtIoError(thrown: unknown): StellaError | undefined {
  if (!isReserved(thrown) && pathFaults[errnoOf(thrown)] === undefined) return undefined;
  const named = pathIn(thrown);
  return named === undefined ? undefined : ioError("Cannot use", named, thrown);
}

/** Deno opens nothing below /dev, with /dev/shm, /proc and /sys without all permissions. */
function isReserved(thrown: unknown): boolean {
  return thrown instanceof Deno.errors.NotCapable &&
    /^\/(dev|proc|sys)(\/|$)/.test(pathIn(thrown) ?? "");
}

/** node: has the path beside the text; Deno's own calls have it in the text alone. */
function pathIn(thrown: unknown): string | undefined {
  const { path, message } = thrown as { path?: unknown; message?: unknown };
  if (typeof path === "string") return path;
  return /: \w+ '(.*)'$|^Requires \w+ access to "(.*)",/s.exec(String(message))?.slice(1)
    .find((one) => one !== undefined);
}
