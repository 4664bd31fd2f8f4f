/**
 * `deno run -A tests/bench/service.ts NAME [COUNT]`: measurements of a service under load.
 * STELLA_BINARY names the program, else it runs from its source. Each prints its figures, and fails
 * where something was lost or done twice.
 *
 * queue enqueue, claim, restart and figures at 1,000, 10,000 and 100,000 jobs load [10000] L1: 16
 * clients queue so many, then all are done clients [60] L2: 64 clients for so many seconds, then
 * 512 fair L6: one job of a tenant behind 5,000 of another kill [50] F2: so many kill -9 at random
 * times under load stop [90] F13: SIGSTOP for so many seconds in the middle of an export soak [600]
 * L5: a steady mix for so many seconds latency [1024] health and metrics while two exports of so
 * many MiB run outage O1: registry, database and storage taken away slow [500] A5: so many slow
 * connections of three kinds, and who is healthy meanwhile
 */
import { latency, queue } from "./service_figures.ts";
import { kill, slow, soak, stop } from "./service_faults.ts";
import { clients, fair, load } from "./service_load.ts";
import { outage } from "./service_outage.ts";

const [name = "", count] = Deno.args;
const benches: Record<string, (count: number) => void | Promise<void>> = {
  queue,
  load: (count) => load(count || 10_000),
  clients: (seconds) => clients(seconds || 60),
  fair,
  kill: (count) => kill(count || 50),
  stop: (seconds) => stop(seconds || 90),
  soak: (seconds) => soak(seconds || 600),
  outage,
  slow: (connections) => slow(connections || 500),
  latency: (mebibytes) => latency(mebibytes || 1_024),
};
const bench = benches[name];
if (bench === undefined) throw new Error(`Name one of ${Object.keys(benches).join(", ")}`);
await bench(Number(count ?? 0));
