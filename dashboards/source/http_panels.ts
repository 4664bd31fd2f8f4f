/** The panels of the row HTTP: how the API and the operations answer, by the templates of their routes. */
import { type Draft, timeseries } from "./grafana.ts";
import { ofInstance } from "./promql.ts";

const histogram = "http_request_duration_seconds";

export function httpPanels(): Draft[] {
  return [latency(), requests(), errors(), refusals()];
}

function perSecond(by: string, matchers = ofInstance): string {
  return `sum by (${by}) (rate(${histogram}_count{${matchers}}[$__rate_interval]))`;
}

function latency(): Draft {
  return timeseries(
    {
      title: "HTTP p99 by route",
      description:
        "99 of 100 requests were answered within this time. Of events and files it is the time to the first byte.",
      unit: "s",
    },
    [{
      expr:
        `histogram_quantile(0.99, sum by (route, le) (rate(${histogram}_bucket{${ofInstance}}[$__rate_interval])))`,
      legend: "{{route}}",
    }],
  );
}

function requests(): Draft {
  return timeseries(
    {
      title: "HTTP requests by route",
      description: "Answers per second, by method and route, whatever they said.",
      unit: "reqps",
    },
    [{ expr: perSecond("method, route"), legend: "{{method}} {{route}}" }],
  );
}

function errors(): Draft {
  return timeseries(
    {
      title: "HTTP errors by route",
      description:
        "Answers 4xx and 5xx per second. 4xx is the caller's fault: a wrong token, a wrong request; 5xx is ours " +
        "or the disk's, and the log says why.",
      unit: "reqps",
    },
    [{
      expr: perSecond("route, code", `${ofInstance},code=~"4xx|5xx"`),
      legend: "{{code}} {{route}}",
    }],
  );
}

function refusals(): Draft {
  return timeseries(
    {
      title: "Requests refused",
      description:
        "Told to come back: busy, because as many requests are open as may be; queue_full, because a tenant " +
        "has as many exports waiting as it may; followers_full, because as many clients follow exports as may.",
      unit: "short",
    },
    [{
      expr:
        `sum by (reason) (increase(export_requests_refused_total{${ofInstance}}[$__rate_interval]))`,
      legend: "{{reason}}",
    }],
    { bars: true },
  );
}
