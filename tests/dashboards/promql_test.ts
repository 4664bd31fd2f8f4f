import { deepEqual } from "node:assert/strict";
import { filled, groupingLabels, matchedLabels, selectors } from "./promql.ts";

const query =
  'histogram_quantile(0.95, sum by (profile, le) (rate(a_bucket{job=~"x(y|{z)",le!="1"}' +
  "[$window]))) > on (job) b_total offset 5m unless time() - (c:d:e >= 1e3) or vector(1)";

Deno.test("selectors() finds series and matchers, and neither functions, keywords, labels nor text in strings", () => {
  deepEqual(selectors(query), [
    { series: "a_bucket", matchers: '{job=~"x(y|{z)",le!="1"}' },
    { series: "b_total", matchers: "" },
    { series: "c:d:e", matchers: "" },
  ]);
});

Deno.test("groupingLabels() and matchedLabels() find the labels a query relies on", () => {
  deepEqual(groupingLabels(query), ["profile", "le", "job"]);
  deepEqual(selectors(query).flatMap(matchedLabels), ["job", "le"]);
});

Deno.test("filled() replaces every Grafana variable", () => {
  deepEqual(
    filled('rate(a{job=~"$job",profile=~"$profile"}[$__rate_interval]) + b[$window]'),
    'rate(a{job=~".+",profile=~".+"}[75s]) + b[1h]',
  );
});
