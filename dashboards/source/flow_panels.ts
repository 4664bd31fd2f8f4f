/** The panels of the rows Exports, Bundles and Capacity: how much, how large, how fast (operations.md A5). */
import { type Draft, heatmap, timeseries } from "./grafana.ts";
import { ofInstance, ofProfile, perHour, quantile } from "./promql.ts";

export function exportPanels(): Draft[] {
  return [durationDistribution(), finished()];
}

export function bundlePanels(): Draft[] {
  return [sizeQuantiles(), beyondFat32()];
}

export function capacityPanels(): Draft[] {
  return [processed(), storageForecast()];
}

function durationDistribution(): Draft {
  return heatmap(
    {
      title: "Export job duration distribution",
      description:
        "Finished exports per duration: whether a high quantile is a few or all of them.",
      unit: "s",
    },
    {
      expr:
        `sum by (le) (increase(export_job_duration_seconds_bucket{${ofProfile}}[$__rate_interval]))`,
      legend: "{{le}}",
    },
  );
}

function finished(): Draft {
  return timeseries(
    {
      title: "Finished exports by result",
      description: "Exports that ended, per hour, by result.",
      unit: "short",
    },
    [{ expr: perHour("result", "export_jobs_total", ofProfile), legend: "{{result}}" }],
  );
}

function sizeQuantiles(): Draft {
  const histogram = "export_bundle_size_bytes";
  return timeseries(
    {
      title: "Bundle size p50/p95",
      description: "Half of the bundles, and 95 of 100, are at most this large, per profile.",
      unit: "bytes",
    },
    [
      { expr: quantile(0.5, histogram), legend: "{{profile}} p50" },
      { expr: quantile(0.95, histogram), legend: "{{profile}} p95" },
    ],
  );
}

function beyondFat32(): Draft {
  // As 2.x, 3.x and a protobuf scrape write this bound.
  const border = String.raw`le=~"4294967295(\\.0)?|4.294967295e\\+09"`;
  const rate = (series: string, matchers: string) =>
    `sum by (profile) (rate(export_bundle_size_bytes_${series}{${matchers}}[$window]))`;
  return timeseries(
    {
      title: "Bundles beyond FAT32",
      description:
        "Share of the bundles larger than 4 GiB less one byte, which a FAT32 stick cannot hold in one " +
        "file: export those with volumeSize fat32.",
      unit: "percentunit",
    },
    [{
      expr: `1 - ${rate("bucket", `${ofProfile},${border}`)} / ${rate("count", ofProfile)}`,
      legend: "{{profile}}",
    }],
    { max: 1 },
  );
}

function processed(): Draft {
  return timeseries(
    {
      title: "Bytes processed",
      description:
        "What running exports read and push. Flat while one runs means that it stands still.",
      unit: "Bps",
    },
    [{
      expr:
        `sum by (stage) (rate(export_processed_bytes_total{${ofInstance},stage=~"read|push"}[$__rate_interval]))`,
      legend: "{{stage}}",
    }],
  );
}

function storageForecast(): Draft {
  const free = `export_storage_free_bytes{${ofInstance}}`;
  return timeseries(
    {
      title: "Storage free, and in 8 h",
      description:
        "Free bytes of the state directory's file system, and where the last two hours lead in eight.",
      unit: "bytes",
    },
    [
      { expr: `min by (instance) (${free})`, legend: "{{instance}}" },
      {
        expr: `min by (instance) (predict_linear(${free}[2h], 8 * 3600))`,
        legend: "{{instance}} in 8 h",
      },
    ],
  );
}
