/**
 * Standard output as commands use it: what cannot be written is code 12, and a reader that has gone
 * is no fault.
 */
import { messageOf, StellaError } from "../domain/errors.ts";

/**
 * A closed pipe is no error: `stella ... | head -1` keeps its exit code.
 * @throws StellaError media where the system refuses to write
 */
export function checkedOutput(write: (text: string) => void): (text: string) => void {
  return (text) => {
    try {
      write(text);
    } catch (cause) {
      if (!(cause instanceof Deno.errors.BrokenPipe)) throw unwritten(cause);
    }
  };
}

function unwritten(cause: unknown): StellaError {
  const reason = messageOf(cause).replace(/ \(os error \d+\)$/, "");
  return new StellaError("media", `Cannot write to standard output: ${reason}`, {
    cause,
    hint: "free space, or send the output elsewhere",
  });
}
