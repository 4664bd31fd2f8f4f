/** Timing by the clock and the randomness of the system. */
import { timingOf } from "../../src/net/retry.ts";

export const systemTiming = timingOf({
  elapsed: () => performance.now(),
  random: (bytes) => crypto.getRandomValues(bytes),
});
