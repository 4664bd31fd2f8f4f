/** Rows F2 and L5 of the test plan in a short form. They take two minutes, so only `deno task test:full` runs them. */
import { kill, soak } from "../bench/service_faults.ts";

const ignore = Deno.env.get("STELLA_TEST_LONG") === undefined;
const when = ignore ? " (needs STELLA_TEST_LONG)" : "";

Deno.test({
  name:
    `ten kill -9 under load: no export is lost, none runs to success twice, each tenant's bundle is the same${when}`,
  ignore,
  fn: () => kill(10),
});

Deno.test({
  name:
    `a minute of steady work: no series is made, no descriptor left open, no export lost${when}`,
  ignore,
  fn: () => soak(60),
});
