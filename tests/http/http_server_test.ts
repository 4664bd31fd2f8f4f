import assert from "node:assert/strict";
import { join } from "node:path";
import { Hono } from "hono";
import type { NodeBindings } from "../../src/http/deps.ts";
import { defaultLimits, type HttpServer, serveHttp } from "../../src/http/http_server.ts";
import { freePort, Home, root, sourceWords } from "../support/program.ts";
import { Bench } from "./bench.ts";

const quick = {
  headersTimeout: 150,
  requestTimeout: 300,
  keepAliveTimeout: 200,
  connectionsCheckingInterval: 25,
  maxHeaderSize: 2048,
};
/** A short pause of the process must not make a client look slow. */
const networkBound = { ...quick, headersTimeout: 60_000, requestTimeout: 60_000 };
const loopback = { host: "127.0.0.1", port: 0 };

async function serving(
  body: (server: HttpServer, bench: Bench) => Promise<void>,
  limits = networkBound,
): Promise<void> {
  using bench = new Bench();
  const server = await serveHttp(bench.app, loopback, limits);
  try {
    await body(server, bench);
  } finally {
    await server.close(100);
  }
}

/** Sends the text and gives all that comes back until the connection ends. */
async function raw({ url }: { url: string }, text: string): Promise<string> {
  const connection = await Deno.connect({ hostname: "127.0.0.1", port: Number(new URL(url).port) });
  await connection.write(new TextEncoder().encode(text));
  let answer = "";
  for await (const chunk of connection.readable) answer += new TextDecoder().decode(chunk);
  return answer;
}

const head = "Host: 127.0.0.1\r\nContent-Type: application/json\r\n";
const post = `POST /v1/exports HTTP/1.1\r\n${head}`;

Deno.test("the app is served on the given port with its limits applied", async () => {
  await serving(async (server) => {
    const answer = await fetch(`${server.url}/status`);
    assert.equal((await answer.json()).version, "0.1.0");
    const foreign = await raw(
      server,
      "GET /status HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n",
    );
    assert.match(foreign, /^HTTP\/1\.1 421 /);
  });
});

Deno.test("the app gets the client address from the socket", async () => {
  await serving(async (server, bench) => {
    bench.checks = [{ name: "storage:write", status: "fail", time: 0, output: "ENOENT" }];
    const ask = async (headers: Record<string, string>) =>
      await (await fetch(`${server.url}/health/readiness?verbose`, { headers })).text();
    assert.match(await ask({}), /ENOENT/);
    assert.doesNotMatch(await ask({ "x-forwarded-for": "192.0.2.7" }), /ENOENT/);
  });
});

Deno.test("slow clients get 408 and are disconnected", async (t) => {
  const slow = {
    "a header without end": "GET /status HTTP/1.1\r\nHost: 127",
    "a body that does not come": `${post}Content-Length: 100\r\n\r\n{"pro`,
  };
  await serving(async (server) => {
    for (const [name, text] of Object.entries(slow)) {
      await t.step(name, async () => {
        const began = performance.now();
        assert.match(await raw(server, text), /^HTTP\/1\.1 408 .*Connection: close/s);
        // It would be eight seconds, and half a minute, by the usual limits.
        assert.ok(performance.now() - began < 7_000);
      });
    }
  }, quick);
});

Deno.test("the service's timeouts plus their check interval are below 10 s and 30 s", () => {
  const late = defaultLimits.connectionsCheckingInterval;
  assert.ok(defaultLimits.headersTimeout + late < 10_000);
  assert.ok(defaultLimits.requestTimeout + late < 30_000);
});

Deno.test("an idle connection is closed after its last answer", async () => {
  await serving(async (server) => {
    const answer = await raw(server, "GET /health/liveness HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
    assert.match(answer, /^HTTP\/1\.1 200 /);
  });
});

Deno.test("a malformed request is refused once, without a second response", async (t) => {
  const requests: Record<string, [string, number]> = {
    "two lengths": [`${post}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}x`, 400],
    "length and chunks": [
      `${post}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
      400,
    ],
    "an unknown transfer encoding": [`${post}Transfer-Encoding: gzip\r\n\r\nabc`, 400],
    "a bare line feed": ["GET /status HTTP/1.1\nHost: 127.0.0.1\n\n", 400],
    "no Host": ["GET /status HTTP/1.1\r\nConnection: close\r\n\r\n", 400],
    "TLS": ["\u0016\u0003\u0001\u0002\r\n\r\n", 400],
    "large headers": [`GET / HTTP/1.1\r\n${head}X: ${"a".repeat(3_000)}\r\n\r\n`, 431],
    "two Host headers": [`GET /status HTTP/1.1\r\n${head}${head}Connection: close\r\n\r\n`, 400],
    "an absolute target of another host": [
      `GET http://evil.example/status HTTP/1.1\r\n${head}Connection: close\r\n\r\n`,
      421,
    ],
  };
  await serving(async (server) => {
    for (const [name, [text, status]] of Object.entries(requests)) {
      await t.step(name, async () => {
        const answer = await raw(server, text);
        assert.match(answer, new RegExp(`^HTTP/1\\.1 ${status} `));
        assert.equal(answer.match(/HTTP\/1\.1 /g)?.length, 1);
      });
    }
  });
});

Deno.test("a large body is refused by its declared length, or once it exceeds the limit", async () => {
  await serving(async (server, bench) => {
    const declared = await raw(server, `${post}Content-Length: 1000000000\r\n\r\n{`);
    assert.match(declared, /^HTTP\/1\.1 413 /);
    const piece = `4000\r\n${" ".repeat(0x4000)}\r\n`;
    const chunked = await raw(
      server,
      `${post}Transfer-Encoding: chunked\r\n\r\n${piece.repeat(5)}`,
    );
    assert.match(chunked, /^HTTP\/1\.1 413 /);
    assert.deepEqual(bench.queued, []);
  });
});

Deno.test("a client that disconnects during its request body queues nothing and logs no error", async () => {
  await serving(async (server, bench) => {
    const port = Number(new URL(server.url).port);
    for (let n = 0; n < 5; n++) {
      const connection = await Deno.connect({ hostname: "127.0.0.1", port });
      await connection.write(new TextEncoder().encode(`${post}Content-Length: 100\r\n\r\n{"pro`));
      connection.close();
    }
    assert.equal(
      (await fetch(`${server.url}/status`).then((answer) => answer.json())).form,
      "source",
    );
    assert.deepEqual([bench.queued, bench.faults], [[], []]);
  });
});

Deno.test("closing ends idle connections at once and busy ones after a grace period", async () => {
  const app = new Hono<{ Bindings: NodeBindings }>();
  const { promise, resolve } = Promise.withResolvers<Response>();
  const asked = Promise.withResolvers<void>();
  app.get("/slow", () => (asked.resolve(), promise));
  app.get("/quick", (c) => c.text("done"));
  const server = await serveHttp(app, loopback);
  await fetch(`${server.url}/quick`).then((answer) => answer.text());
  const slow = assert.rejects(fetch(`${server.url}/slow`));
  await asked.promise;
  // It comes back although the slow answer never comes.
  await server.close(50);
  await slow;
  resolve(new Response());
});

Deno.test("a port in use is reported as such", async () => {
  await serving(async (server) => {
    const listen = { host: "127.0.0.1", port: Number(new URL(server.url).port) };
    await assert.rejects(serveHttp(new Hono<{ Bindings: NodeBindings }>(), listen), {
      kind: "conflict",
      message: /^Cannot listen on "127\.0\.0\.1:\d+": the address is in use$/,
    });
  });
});

Deno.test("an address that this machine does not have is a usage error", async () => {
  const listen = { host: "192.0.2.1", port: 0 };
  await assert.rejects(serveHttp(new Hono<{ Bindings: NodeBindings }>(), listen), {
    kind: "usage",
    message: 'Cannot listen on "192.0.2.1:0": this machine has no such address',
  });
});

Deno.test("the server stops if the runtime binds another address than requested", async () => {
  const elsewhere = `127.0.0.2:${freePort()}`;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "-q", "--no-check", join(root, "tests/service/serve_elsewhere.ts")],
    env: { DENO_SERVE_ADDRESS: `tcp:${elsewhere}` },
  });
  const { code, stdout } = await child.output();
  const text = new TextDecoder().decode(stdout);
  assert.equal(text, `Cannot listen on "127.0.0.1:0": "${elsewhere}" was bound instead\n`);
  // The server is closed: the program ends by itself.
  assert.equal(code, 0);
});

Deno.test("a service and a span sink do not start while DENO_SERVE_ADDRESS is set", async () => {
  const home = new Home();
  const [command, ...words] = sourceWords();
  try {
    for (const value of ["tcp:127.0.0.2:0", "duplicate,tcp:127.0.0.2:0"]) {
      for (const line of [["serve", "--listen=127.0.0.1:0"], ["spans", "--listen=127.0.0.1:0"]]) {
        const child = new Deno.Command(command, {
          args: [...words, ...line],
          cwd: home.path,
          env: home.environment({ DENO_SERVE_ADDRESS: value }),
          clearEnv: true,
        });
        const { code, stderr } = await child.output();
        assert.equal(code, 2, line.join(" "));
        assert.match(new TextDecoder().decode(stderr), /while DENO_SERVE_ADDRESS is set/);
      }
    }
  } finally {
    home.remove();
  }
});
