/**
 * A stand-in for `@std/tar` 0.1.10, linked under its name (deno.json, `links`), so that stella
 * builds where only an npm mirror can be reached. It holds the part that stella imports: TarStream,
 * for files with a mode and a time. Written from POSIX.1-2017 ("ustar Interchange Format") and the
 * package's documentation; deleting the link uses the package itself.
 *
 * For the same entry it writes the bytes that the package writes into zeroed buffers. It differs
 * where the package is known to be wrong: a file of exactly 8 GiB gets its size and not 0, the
 * header never holds the old bytes of a reused buffer, the caller's options and chunks are left as
 * they were, and a size that is no integer is refused.
 */
export { TarStream } from "./tar_stream.ts";
export type { TarStreamInput } from "./header.ts";
