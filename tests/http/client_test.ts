/** The commands about exports of a running service, against a real one in this process. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { flagOf } from "../../src/cli/command.ts";
import { type ExportFlags, exportOptions } from "../../src/cli/export_options.ts";
import { cancelJobs, listJobs, purgeJobs, retryJobs } from "../../src/cli/jobs.ts";
import { command as exportCommand } from "../../src/cli/commands/export_bundle.ts";
import { parse } from "../../src/cli/parse.ts";
import { ServiceClient } from "../../src/cli/service_client.ts";
import { submitExport } from "../../src/cli/submit_export.ts";
import { showTimeline } from "../../src/cli/timeline.ts";
import type { Job } from "../../src/jobs/job.ts";
import { serveHttp } from "../../src/http/http_server.ts";
import { Bench, config } from "./bench.ts";
import { host } from "../support/quiet_host.ts";

async function serving(
  body: (url: string, bench: Bench) => Promise<void>,
  bench: Bench = new Bench(),
): Promise<void> {
  using _ = bench;
  const server = await serveHttp(bench.app, { host: "127.0.0.1", port: 0 });
  try {
    await body(server.url, bench);
  } finally {
    bench.draining = true;
    bench.feed.close();
    await server.close(100);
  }
}

const error = { code: "remote", message: "no answer\u001b[2J", hint: "look at it" };

function fail(bench: Bench): string {
  const { job } = bench.queue.enqueue({ tenant: "default", profile: "kit", request: {} });
  bench.queue.finish(bench.queue.claim()!, { state: "failed", error });
  return job.id;
}

const list = { limit: "50" };

Deno.test("jobs list shows a line for each export, escaped, and JSON as the API has it", async () => {
  await serving(async (url, bench) => {
    assert.equal((await listJobs({ server: url, ...list }, host)).text, "no exports\n");
    const id = fail(bench);
    const { text, json } = await listJobs({ server: url, ...list }, host);
    const head = "ID                                    STATE   AGE  TOOK  PROFILE\n";
    assert.match(text, new RegExp(`^${head}${id}  failed  0s   0\\.0s  kit\n    remote: `));
    assert.match(text, /no answer\\u\{1b\}\[2J\n$/);
    assert.equal((json as { items: { id: string }[] }).items[0]?.id, id);
    const none = await listJobs({ server: url, ...list, state: "queued" }, host);
    assert.equal(none.text, "no exports\n");
    await assert.rejects(listJobs({ server: url, limit: "x" }, host), {
      kind: "usage",
      message: /limit/,
    });
  });
});

Deno.test("retry, cancel and purge act on the given ids and report why they cannot", async () => {
  await serving(async (url, bench) => {
    const [a, b] = [fail(bench), fail(bench)];
    const options = { server: url, ...list };
    assert.equal((await retryJobs([a, b], options, host)).text, `${a}  queued\n${b}  queued\n`);
    await assert.rejects(retryJobs([a], options, host), { kind: "conflict", message: /409/ });
    assert.equal((await cancelJobs([a], options, host)).text, `${a}  cancelled\n`);
    await assert.rejects(purgeJobs([], options, host), { kind: "usage" });
    await assert.rejects(purgeJobs([a], { ...options, state: "failed" }, host), {
      kind: "usage",
    });
    const purged = await purgeJobs([], { ...options, state: "cancelled" }, host);
    assert.equal(purged.text, `${a}  removed\n`);
    await assert.rejects(purgeJobs([b], options, host), { message: /409.*queued/ });
    await assert.rejects(cancelJobs(["../x"], options, host), { message: /400/ });
  });
});

Deno.test("one refused item does not stop the others, and all refusals are reported", async () => {
  await serving(async (url, bench) => {
    const [a, b, c] = [fail(bench), fail(bench), fail(bench)];
    const options = { server: url, ...list };
    await retryJobs([b], options, host);
    const { code, text, json } = await retryJobs([a, b, c], options, host);
    assert.equal(code, 14);
    assert.match(
      text,
      new RegExp(`^${a}  queued\n${c}  queued\n${b}  refused: .*409.*: The export is queued.*\n$`),
    );
    assert.deepEqual([a, c].map((id) => bench.queue.get(id)?.state), ["queued", "queued"]);
    const { items, refused, untried } = json as Record<string, { id: string }[]>;
    assert.deepEqual([items?.map(({ id }) => id), refused?.map(({ id }) => id), untried], [
      [a, c],
      [b],
      [],
    ]);
  });
});

Deno.test("an error that concerns all ids ends the command and lists those not tried", async () => {
  const ids = ["a", "b", "c"];
  let left = 1;
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    () =>
      left-- > 0
        ? Response.json({ id: "a", state: "cancelled" })
        : Response.json({ detail: "The token does not have the scope write" }, { status: 403 }),
  );
  const options = { server: `http://127.0.0.1:${server.addr.port}`, ...list };
  const { code, text } = await cancelJobs(ids, options, host);
  assert.equal(code, 15);
  assert.match(
    text,
    /^a {2}cancelled\nb {2}refused: .*scope write.*\nc {2}not tried\nhint: .*token/,
  );
  await assert.rejects(cancelJobs(ids, options, host), { kind: "policy", message: /403/ });
});

Deno.test("timeline prints a hint for a missing token and for an invalid id", async () => {
  const tokens = [{ name: "ci", sha256: "a".repeat(64), tenants: ["default"], scopes: [] }];
  await serving(async (url) => {
    await assert.rejects(showTimeline(undefined, { server: url, ...list }, host), {
      kind: "policy",
      message: /401/,
      hint: /--token-file/,
    });
  }, new Bench({ config: { ...config, tokens } }));
  await serving(async (url) => {
    await assert.rejects(showTimeline("x", { server: url, ...list }, host), {
      message: /400.*exportId is not an export id/,
      hint: /use an id that/,
    });
  });
});

const flags = (url: string, more: Partial<ExportFlags> = {}) =>
  ({ profile: "kit", tenant: "default", layout: "archive", server: url, ...more }) as ExportFlags;

/** A bench whose jobs end as soon as they are requested. */
function ending(end: (bench: Bench, job: Job) => void): Bench {
  const bench: Bench = new Bench({ onQueued: () => end(bench, bench.queue.claim()!) });
  return bench;
}

Deno.test("an export by a service is followed to its end", async () => {
  const bundleDigest = "d".repeat(64);
  const bench = ending((bench, job) => {
    // After the client has begun to follow.
    setTimeout(() => {
      bench.feed.progressed(job.id, { stage: "read", done: 1, total: 2 });
      bench.queue.finish(job, { state: "succeeded", bundleDigest });
      bench.feed.ended(job.id);
    }, 20);
  });
  await serving(async (url) => {
    const { code = 0, text, json } = await submitExport(flags(url), host);
    assert.equal(code, 0);
    assert.match(text, new RegExp(`sha256:${bundleDigest}`));
    assert.match(text, /fetch it: stella pull http.*\/v1\/exports\/[0-9a-f-]{36} --to DIR/);
    assert.equal((json as { bundle: { bundleDigest: string } }).bundle.bundleDigest, bundleDigest);
  }, bench);
});

Deno.test("a tenant given by option is sent, even if it is default", async () => {
  const token = "correct-horse-battery-staple";
  const sha256 = createHash("sha256").update(token).digest("hex");
  const scopes = ["read" as const, "write" as const];
  const tokens = [{ name: "ci", sha256, tenants: ["lab", "default"], scopes }];
  const bench = new Bench({
    config: { ...config, tokens },
    onQueued: () => bench.queue.finish(bench.queue.claim()!, { state: "failed", error }),
  });
  const tokenFile = join(bench.directory, "token");
  Deno.writeTextFileSync(tokenFile, token, { mode: 0o600 });
  const typed = (...words: string[]): ExportFlags => {
    const { typed, faults } = parse(exportCommand, ["--profile", "kit", ...words]);
    assert.deepEqual(faults, []);
    return typed.options;
  };
  await serving(async (url) => {
    for (const args of [["--tenant", "default"], []]) {
      const server = ["--server", url, "--token-file", tokenFile];
      await assert.rejects(submitExport(typed(...args, ...server), host), { kind: "remote" });
    }
    assert.deepEqual(bench.queue.list({ limit: 9 }).map(({ tenant }) => tenant), [
      "lab",
      "default",
    ]);
  }, bench);
});

Deno.test("the command reports records that a service skipped in risk data", async () => {
  const bench = ending((bench, job) => {
    const { id: exportId, tenant, profile } = job;
    const of = { exportId, tenant, profile };
    bench.timeline.add(of, "made", { bytes: 9, leftOut: { invalid: 1, bad_id: 2, unread: 0 } });
    bench.queue.finish(job, { state: "succeeded", bundleDigest: "d".repeat(64) });
  });
  await serving(async (url) => {
    const { text, json } = await submitExport(flags(url), host);
    assert.match(text, /\n {2}left out {2}1 invalid record, 2 bad ids\n/);
    assert.deepEqual((json as { leftOut: unknown }).leftOut, { invalid: 1, bad_id: 2, unread: 0 });
  }, bench);
});

Deno.test("the command reports the number of empty directories that a service skipped", async () => {
  const submitted = async (attributes: Record<string, unknown>) => {
    let result: { text: string; json: object } | undefined;
    const bench = ending((bench, job) => {
      const { id: exportId, tenant, profile } = job;
      const of = { exportId, tenant, profile };
      // An attempt that failed after it was made: the last one counts.
      bench.timeline.add(of, "made", { bytes: 9, emptyDirectoryCount: 77 });
      bench.timeline.add(of, "made", { bytes: 9, ...attributes });
      bench.queue.finish(job, { state: "succeeded", bundleDigest: "d".repeat(64) });
    });
    await serving(async (url) => {
      result = await submitExport(flags(url), host) as { text: string; json: object };
    }, bench);
    const { text, json } = result!;
    return [
      text.match(/^ {2}left out {2}.*$/gm),
      (json as { emptyDirectoryCount?: unknown }).emptyDirectoryCount,
    ];
  };
  const many = ["  left out  4 empty directories"];
  assert.deepEqual(await submitted({ emptyDirectoryCount: 4 }), [many, 4]);
  const one = ["  left out  1 empty directory"];
  assert.deepEqual(await submitted({ emptyDirectoryCount: 1 }), [one, 1]);
  const leftOut = { invalid: 1, bad_id: 0, unread: 0 };
  const both = [...many, "  left out  1 invalid record"];
  assert.deepEqual(await submitted({ leftOut, emptyDirectoryCount: 4 }), [both, 4]);
  assert.deepEqual(await submitted({ emptyDirectoryCount: 0 }), [null, 0]);
  assert.deepEqual(await submitted({}), [null, undefined], "an older service does not say it");
  assert.deepEqual(await submitted({ emptyDirectoryCount: "4\u001b[2J" }), [null, undefined]);
});

Deno.test("export --server ends with the exit code of the failed export", async () => {
  const bench = ending((bench, job) => bench.queue.finish(job, { state: "failed", error }));
  await serving(async (url) => {
    await assert.rejects(submitExport(flags(url), host), {
      kind: "remote",
      message: /failed: no answer/,
      hint: "look at it",
    });
  }, bench);
});

Deno.test("options for local exports are refused together with --server", async () => {
  await serving(async (url, bench) => {
    const odd = flags(url, { input: ["/srv"], includeSelf: true });
    await assert.rejects(submitExport(odd, host), {
      kind: "usage",
      message: /--input, --include-self together with --server/,
    });
    await assert.rejects(submitExport(flags(url, { profile: "none" }), host), {
      kind: "usage",
      message: /400.*profile is unknown/,
    });
    assert.deepEqual(bench.queued, []);
  });
});

Deno.test("every option that is not sent to the service is refused together with --server", async () => {
  const served = ["profile", "manifest", "tenant", "compression", "layout", "volumeSize", "server"];
  const here = ["ca", "trust", "tokenFile", "insecureHttp", "metricsTextfile", "report"];
  const names = Object.keys(exportOptions).filter((name) => ![...served, ...here].includes(name));
  assert.ok(names.length > 15, "an option of the command is here or in one of the lists");
  await serving(async (url) => {
    for (const name of names) {
      const { kind, ...option } = exportOptions[name as keyof typeof exportOptions];
      const value = kind === "flag" ? true : "repeat" in option ? ["x"] : "x";
      await assert.rejects(submitExport(flags(url, { [name]: value }), host), {
        kind: "usage",
        message: `Cannot use ${flagOf(name)} together with --server`,
      });
    }
  });
});

Deno.test("a token is read from a private file and never shown", async () => {
  const token = "correct-horse-battery-staple";
  const sha256 = createHash("sha256").update(token).digest("hex");
  const tokens = [{ name: "ci", sha256, tenants: ["default"], scopes: ["read" as const] }];
  const bench = new Bench({ config: { ...config, tokens } });
  const tokenFile = join(bench.directory, "token");
  await serving(async (url) => {
    await assert.rejects(listJobs({ server: url, ...list }, host), {
      message: /401/,
      hint: /--token-file/,
    });
    Deno.writeTextFileSync(tokenFile, "another\n", { mode: 0o600 });
    await assert.rejects(listJobs({ server: url, tokenFile, ...list }, host), {
      message: /401/,
      hint: /the service does not know the token that was sent/,
    });
    Deno.writeTextFileSync(tokenFile, `${token}\n`, { mode: 0o600 });
    assert.equal((await listJobs({ server: url, tokenFile, ...list }, host)).code ?? 0, 0);
    const client = new ServiceClient({ server: url, tokenFile }, host);
    assert.doesNotMatch(Deno.inspect(client, { showHidden: true, depth: 9 }), /correct-horse/);
    Deno.chmodSync(tokenFile, 0o644);
    await assert.rejects(listJobs({ server: url, tokenFile, ...list }, host), {
      kind: "config",
      message: /others can read the file/,
    });
  }, bench);
});
