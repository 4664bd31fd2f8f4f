/** Timing by the clock and the randomness of the system, and time that only this thread spent. */
import process from "node:process";
import { timingOf } from "../../src/net/retry.ts";

export const systemTiming = timingOf({
  elapsed: () => performance.now(),
  random: (bytes) => crypto.getRandomValues(bytes),
});

/** Milliseconds that `work` computed: whatever else the machine does, they are the same. */
export async function computed(work: () => unknown): Promise<number> {
  const before = process.threadCpuUsage();
  await work();
  const { user, system } = process.threadCpuUsage(before);
  return (user + system) / 1000;
}
