/**
 * `export bundle --server` when the service restarts, refuses its events or disappears, or the user
 * interrupts.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import type { ExportFlags } from "../../src/cli/export_options.ts";
import type { Host } from "../../src/cli/host.ts";
import { submitExport } from "../../src/cli/submit_export.ts";
import { serveHttp } from "../../src/http/http_server.ts";
import { freePort, Home, programWords } from "../support/program.ts";
import { Bench, config } from "./bench.ts";

const id = "019b76da-a800-7000-8000-000000000000";
const running = { id, state: "running", profile: "kit", tenant: "default" };
const bundleDigest = "d".repeat(64);
const succeeded = { ...running, state: "succeeded", bundleDigest, error: null };
const patience = { pause: 10, lost: 10_000 };
const cancel = (url: string) =>
  new RegExp(`goes on; .stella jobs cancel ${id} --server ${url}. ends`);

/** Ends nothing by itself; `printed` is what stood on stderr. */
function person() {
  const stop = new AbortController();
  const printed: string[] = [];
  const host = {
    environment: () => undefined,
    stop: stop.signal,
    stderr: (text: string) => printed.push(text),
    columns: () => undefined,
    now: () => 0,
    elapsed: () => performance.now(),
    uuid: () => crypto.randomUUID(),
  } as unknown as Host;
  return { host, printed, stop };
}

const flags = (server: string, more: Partial<ExportFlags> = {}) =>
  ({ profile: "kit", layout: "archive", server, ...more }) as ExportFlags;

/** The answer of a fake service, and what it then does with the connection. */
interface Printed {
  status?: number;
  headers?: Record<string, string>;
  text: string;
  then?: "breaks" | "stays";
}

type Answers = (what: "events" | "look", request: IncomingMessage) => Printed;

/** A service that accepts every export as `id`, and answers the rest as configured. */
async function pretending(answers: Answers, body: (url: string) => Promise<void>): Promise<void> {
  const accepted: Printed = { status: 202, text: JSON.stringify({ id, state: "queued" }) };
  const server = createServer((request, response) => {
    const what = request.url!.endsWith("/events") ? "events" : "look";
    const printed = request.method === "POST" ? accepted : answers(what, request);
    const { status = 200, headers = {}, text, then } = printed;
    // What was sent has to have arrived first.
    const breaks = () => setTimeout(() => response.socket!.destroy(), 20);
    response.writeHead(status, headers).write(text, () => then === "breaks" && breaks());
    if (then === undefined) response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    await body(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

const json = (body: unknown, more: Omit<Printed, "text"> = {}): Printed => ({
  text: JSON.stringify(body),
  ...more,
});
const stays = (text: string): Printed => ({ text, then: "stays" });
const endOf = (body: unknown) => stays(`event: end\ndata: ${JSON.stringify(body)}\n\n`);

Deno.test("following continues after a restart of the service, with a message", async () => {
  using bench = new Bench();
  const listen = { host: "127.0.0.1", port: freePort() };
  const first = await serveHttp(bench.app, listen);
  const { host, printed } = person();
  const following = submitExport(flags(first.url), host, patience);
  while (!bench.answered.some((one) => /events 200/.test(one))) await turn();
  bench.draining = true;
  bench.feed.close();
  await first.close(100);
  while (!printed.some((text) => /Cannot reach .*: trying for 10 s/.test(text))) await turn();
  bench.queue.finish(bench.queue.claim()!, { state: "succeeded", bundleDigest });
  bench.draining = false;
  const second = await serveHttp(bench.app, listen);
  try {
    assert.equal((await following).code ?? 0, 0);
    assert.ok(printed.includes("the service answers again\n"), printed.join(""));
  } finally {
    await second.close(100);
  }
});

const turn = () => new Promise((resolve) => setTimeout(resolve, 5));

Deno.test("a broken stream is resumed after the last received event", async () => {
  const asked: unknown[] = [];
  const step = `event: step\nid: ${id}\ndata: {}\n\n`;
  await pretending((what, request) => {
    if (what === "look") return json(running);
    asked.push(request.headers["last-event-id"]);
    return asked.length === 1 ? { text: step, then: "breaks" } : endOf(succeeded);
  }, async (url) => {
    assert.equal((await submitExport(flags(url), person().host, patience)).code ?? 0, 0);
    assert.deepEqual(asked, [undefined, id]);
  });
});

Deno.test("without events the export is polled, not before Retry-After", async () => {
  for (const status of [429, 503]) {
    const at: number[] = [];
    await pretending((what) => {
      at.push(performance.now());
      if (what === "look") return json(succeeded);
      return json({ detail: "Too many" }, { status, headers: { "retry-after": "1" } });
    }, async (url) => {
      const { host, printed } = person();
      assert.equal((await submitExport(flags(url), host, patience)).code ?? 0, 0);
      assert.match(printed.join(""), new RegExp(`export ${id}\n.*status ${status}\\): Too many`));
      assert.ok(at[1]! - at[0]! > 900, "Retry-After is honoured");
    });
  }
});

Deno.test("following an unreachable service ends with the export's id and a hint about the export", async () => {
  const ways: [Printed, string, string][] = [
    [
      json({ detail: "The service is shutting down" }, { status: 503 }),
      "busy",
      "503\\): The service is shutting down",
    ],
    [{ text: "<html>" }, "remote", "does not respond with an export"],
    [{ text: "", then: "breaks" }, "remote", "Cannot reach"],
  ];
  for (const [printed, kind, reason] of ways) {
    await pretending(() => printed, async (url) => {
      await assert.rejects(submitExport(flags(url), person().host, { pause: 10, lost: 100 }), {
        kind,
        message: new RegExp(`Lost the export ${id}: .*${reason}`),
        hint: cancel(url),
      });
    });
  }
});

Deno.test("a token with only the write scope gets an error with the missing scope and the export id", async () => {
  const token = "correct-horse-battery-staple";
  const sha256 = createHash("sha256").update(token).digest("hex");
  const tokens = [{ name: "ci", sha256, tenants: ["default"], scopes: ["write" as const] }];
  using bench = new Bench({ config: { ...config, tokens } });
  const tokenFile = join(bench.directory, "token");
  Deno.writeTextFileSync(tokenFile, token, { mode: 0o600 });
  const server = await serveHttp(bench.app, { host: "127.0.0.1", port: 0 });
  try {
    const error = await submitExport(flags(server.url, { tokenFile }), person().host).catch((e) =>
      e
    );
    const { id } = bench.queued[0]!;
    assert.equal(error.kind, "policy");
    assert.match(error.message, new RegExp(`export ${id}: .*403\\): .* the scope read`));
    assert.match(error.hint, new RegExp(`with that scope.*stella jobs cancel ${id}`));
  } finally {
    await server.close(100);
  }
});

Deno.test("an export removed meanwhile is reported as removed", async () => {
  const gone = json({ detail: "No such export" }, { status: 404 });
  for (const printed of [gone, endOf(null)]) {
    await pretending(() => printed, async (url) => {
      const error = await submitExport(flags(url), person().host, patience).catch((e) => e);
      assert.match(error.message, /404\): No such export|It ended as/);
      assert.match(error.message, new RegExp(id));
    });
  }
});

Deno.test("an answer of another program than stella is not followed", async () => {
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    () => Response.json({ id: "../../metrics" }, { status: 202 }),
  );
  const url = `http://127.0.0.1:${server.addr.port}`;
  await assert.rejects(submitExport(flags(url), person().host), {
    message: /does not respond with the id/,
  });
});

Deno.test("an interrupt ends following and not the export", async () => {
  const whileReading = stays("retry: 2000\n\n");
  const whileWaiting = json({}, { status: 503 });
  for (const printed of [whileReading, whileWaiting]) {
    let isAsked = false;
    await pretending(() => (isAsked = true, printed), async (url) => {
      const { host, printed: texts, stop } = person();
      const following = submitExport(flags(url), host, { pause: 60_000, lost: 60_000 });
      while (!isAsked) await turn();
      // Once this is printed it waits for its next try.
      while (printed === whileWaiting && !texts.some((text) => /status 503/.test(text))) {
        await turn();
      }
      stop.abort();
      await assert.rejects(following, { kind: "interrupted", message: cancel(url) });
    });
  }
});

Deno.test("an interrupt is handled even if the response arrives at the same moment", async () => {
  let asked = () => {};
  await pretending(() => (asked(), stays("retry: 2000\n\n")), async (url) => {
    for (let n = 0; n < 8; n++) {
      const isAsked = new Promise<void>((resolve) => asked = resolve);
      const { host, stop } = person();
      const following = submitExport(flags(url), host, patience);
      await isAsked;
      // The client's event loop is blocked, so that the answer is there when it has to stop.
      for (const end = performance.now() + n; performance.now() < end;);
      stop.abort();
      await assert.rejects(following, { kind: "interrupted" });
    }
  });
});

Deno.test("Ctrl-C ends the program with 130 and the id", async () => {
  const home = new Home();
  let asked = () => {};
  const isAsked = new Promise<void>((resolve) => asked = resolve);
  try {
    await pretending(() => (asked(), stays("retry: 2000\n\n")), async (url) => {
      const [command, ...words] = programWords();
      const child = new Deno.Command(command, {
        args: [...words, "export", "bundle", "--profile", "kit", "--server", url],
        env: home.environment(),
        clearEnv: true,
        stdout: "piped",
        stderr: "piped",
      }).spawn();
      const ended = child.output();
      await Promise.race([isAsked, ended]);
      child.kill("SIGINT");
      const { code, stderr } = await ended;
      assert.equal(code, 130);
      assert.match(new TextDecoder().decode(stderr), cancel(url));
    });
  } finally {
    home.remove();
  }
});
