/** The rooms of a service, loaded when one starts: the worker of an export loads app.ts too and needs none of them. */

export type Rooms = Awaited<ReturnType<typeof loadRooms>>;

export async function loadRooms() {
  return {
    ...await import("../assets/self.ts"),
    ...await import("../export/may_pass.ts"),
    ...await import("../jobs/feed.ts"),
    ...await import("../jobs/sqlite/lock.ts"),
    ...await import("../jobs/loop.ts"),
    ...await import("../jobs/export_timeline.ts"),
    ...await import("../jobs/sqlite/queue.ts"),
    ...await import("../jobs/sqlite/schedule.ts"),
    ...await import("../jobs/sqlite/timeline.ts"),
    ...await import("../jobs/sqlite/uploads.ts"),
    ...await import("../domain/uuid.ts"),
    ...await import("../jobs/worker_host.ts"),
    ...await import("../registry/open.ts"),
    ...await import("../domain/reference.ts"),
    ...await import("../net/retry.ts"),
    ...await import("../http/certificate_check.ts"),
    ...await import("../http/checks.ts"),
    ...await import("../http/clock_check.ts"),
    ...await import("../http/http_server.ts"),
    ...await import("../http/liveness.ts"),
    ...await import("../http/readiness.ts"),
    ...await import("../http/server.ts"),
    ...await import("../http/source_check.ts"),
    ...await import("../http/target_check.ts"),
    ...await import("../store/files/store.ts"),
    ...await import("../store/upkeep.ts"),
    ...await import("../telemetry/audit.ts"),
    ...await import("../telemetry/check_watch.ts"),
    ...await import("../telemetry/egress_watch.ts"),
    ...await import("../telemetry/export_watch.ts"),
    ...await import("../telemetry/journal.ts"),
    ...await import("../telemetry/log.ts"),
    ...await import("../telemetry/metrics.ts"),
    ...await import("../telemetry/scraped.ts"),
  };
}
