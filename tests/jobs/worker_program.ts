/** What a worker of worker_test.ts does; each job is one way to end. */
import { StellaError } from "../../src/domain/errors.ts";
import { answerJob } from "../../src/jobs/worker_side.ts";

if ("WorkerGlobalScope" in globalThis) {
  answerJob<string, string, string>(async (job, emit, signal) => {
    emit(`got ${job}`);
    if (job === "refuse") {
      throw new StellaError("unsafe_entry", "Cannot pack", {
        hint: "rename it",
        findings: [{ kind: "unsafe", reason: "unsafe_name", path: "a:b" }],
      });
    }
    if (job === "throw") throw new TypeError("a defect");
    if (job === "reject") setTimeout(() => Promise.reject(new Error("nobody waits for me")), 0);
    if (job === "raise") {
      setTimeout(() => {
        throw new Error("out of nowhere");
      }, 0);
    }
    if (job === "exit") self.close();
    if (job === "yield") {
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
      signal.throwIfAborted();
    }
    if (job === "spin") { while (performance.now() > 0); }
    if (job !== "echo") await new Promise(() => {});
    return `done ${job}`;
  });
}
