/** A service that is killed under load, and one that is kept busy: minutes each. */
import { kill, soak } from "../bench/service_faults.ts";

Deno.test(
  "a service that is killed ten times under load loses no export and ends none twice",
  () => kill(10),
);

Deno.test(
  "a service that is busy for a minute adds no metric series and leaks no descriptor",
  () => soak(60),
);
