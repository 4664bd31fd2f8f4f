/** Connections refused by the egress policy: logged, counted, and shown in /status. */
import type { Log, LogFields } from "./log.ts";
import type { Metrics } from "./metrics.ts";

export class EgressWatch {
  #count = 0;

  constructor(private readonly to: { log: Log; metrics: Pick<Metrics, "count"> }) {}

  /** Since the service started. */
  get count(): number {
    return this.#count;
  }

  /** `destination` is `HOST:PORT`; `of` is the export that tried to connect, if any. */
  refused(destination: string, of: LogFields = {}): void {
    this.#count++;
    this.to.metrics.count("export_egress_refused_total", {});
    const body = "connection refused by the egress policy";
    this.to.log("WARN", "egress.refused", body, { ...of, detail: destination });
  }
}
