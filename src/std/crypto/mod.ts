/**
 * A stand-in for `@std/crypto` 1.0.5, linked under its name (deno.json, `links`), so that stella builds where only an
 * npm mirror can be reached. The same names and types, written anew on WebCrypto and node:crypto; deleting the link uses
 * the package itself.
 *
 * Absent here is what the package does by WebAssembly alone: BLAKE2B-128 to -384, BLAKE3, KECCAK, SHAKE, TIGER, MD4 and FNV.
 * `DIGEST_ALGORITHM_NAMES` lists what is there, so a program that asks for another one does not compile.
 */
export * from "./crypto.ts";
export * from "./timing_safe_equal.ts";
