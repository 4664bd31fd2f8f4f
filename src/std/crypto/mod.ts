/**
 * A stand-in for `@std/crypto` 1.0.5, linked under its name (deno.json, `links`), so that stella
 * builds where only an npm mirror can be reached. It holds the part that stella imports; deleting
 * the link uses the package itself.
 */
export { timingSafeEqual } from "./timing_safe_equal.ts";
