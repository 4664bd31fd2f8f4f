/**
 * Run as a child with scoped permissions: opens argument 1 below argument 0 and prints the result.
 */
import { messageOf } from "../../src/domain/errors.ts";
import { Opener } from "../../src/bundle/source.ts";

const [root, path] = Deno.args;
try {
  const reader = new Opener(root!).open(path!);
  const buffer = new Uint8Array(100);
  const n = await reader?.read(buffer);
  Deno.stdout.writeSync(
    new TextEncoder().encode(`read ${new TextDecoder().decode(buffer.subarray(0, n))}`),
  );
} catch (error) {
  Deno.stdout.writeSync(new TextEncoder().encode(messageOf(error)));
}
