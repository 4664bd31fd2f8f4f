import assert from "node:assert/strict";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { parseChallenges } from "../../src/registry/challenge.ts";
import { RegistryClient } from "../../src/registry/client.ts";
import { RegistryError } from "../../src/registry/failure.ts";
import { pushBundle, type PushReport } from "../../src/registry/push.ts";
import { parseEndpoint } from "../../src/registry/reference.ts";
import { Secret } from "../../src/registry/secret.ts";
import { Transport } from "../../src/registry/transport.ts";
import { FakeTiming, withBundle } from "./fake_bundle.ts";
import { FakeRegistry } from "./fake_registry.ts";

const credentials = { username: "me", password: new Secret("hunter2") };
const basic = `Basic ${btoa("me:hunter2")}`;

/** Pushes into `registry` as `me`, or as nobody. */
async function push(registry: FakeRegistry, known = true): Promise<PushReport> {
  const endpoint = parseEndpoint(`http://${registry.host}`);
  const transport = new Transport({ authorities: [], policy: () => {} });
  const timing = new FakeTiming();
  const client = new RegistryClient({ endpoint, transport, timing, ...(known && { credentials }) });
  try {
    let report: PushReport | undefined;
    await withBundle(async ({ dir }) => {
      report = await pushBundle({ client, dir, repository: "exports/a", tag: "v1" });
    });
    return report!;
  } finally {
    client.close();
  }
}

async function withRegistry(body: (registry: FakeRegistry) => Promise<void>): Promise<void> {
  const registry = await new FakeRegistry().start();
  try {
    await body(registry);
  } finally {
    await registry.stop();
  }
}

function isAuth(message: RegExp) {
  return (error: unknown) => {
    assert(error instanceof RegistryError, String(error));
    assert.equal(error.reason, "auth");
    assert.match(error.message, message);
    assert(!`${error.message} ${error.hint}`.includes("hunter2"));
    return true;
  };
}

Deno.test("challenges are taken apart", () => {
  const seen = (header: string) =>
    parseChallenges(header).map((one) => [one.scheme, Object.fromEntries(one.parameters)]);
  assert.deepEqual(seen('Basic realm="a \\"b\\", c"'), [["basic", { realm: 'a "b", c' }]]);
  assert.deepEqual(
    seen('Negotiate, BEARER Realm="https://t.test/token",service=r.test , Basic realm="x"'),
    [
      ["negotiate", {}],
      ["bearer", { realm: "https://t.test/token", service: "r.test" }],
      ["basic", { realm: "x" }],
    ],
  );
  assert.deepEqual(seen(""), []);
  assert.deepEqual(seen('="x" ;;'), []);
});

/** Answers 401 to requests that do not have `authorization`. */
function ask(registry: FakeRegistry, challenge: string, accepts: (value: string) => boolean): void {
  registry.guard = (request, response) => {
    if (accepts(request.headers.authorization ?? "")) return true;
    response.writeHead(401, { "www-authenticate": challenge }).end();
    return false;
  };
}

Deno.test("Basic: credentials go out once they are asked for, and then always", () =>
  withRegistry(async (registry) => {
    ask(registry, 'Basic realm="r"', (value) => value === basic);
    await push(registry);
    assert.equal(registry.authorizations[0], undefined);
    assert(registry.authorizations.slice(1).every((value) => value === basic));
  }));

Deno.test("Basic: wrong credentials end as auth after one try", () =>
  withRegistry(async (registry) => {
    ask(registry, 'Basic realm="r"', () => false);
    await assert.rejects(push(registry), isAuth(/^HEAD .*: 401$/));
    assert.equal(registry.log.length, 2);
  }));

Deno.test("Basic: credentials that are refused in the middle are not sent again", () =>
  withRegistry(async (registry) => {
    let uses = 0;
    ask(registry, 'Basic realm="r"', (value) => value === basic && uses++ < 3);
    await assert.rejects(push(registry), isAuth(/: 401$/));
    assert.deepEqual([uses, registry.log.length], [4, 5]);
  }));

Deno.test("Basic: without credentials nothing is tried again", () =>
  withRegistry(async (registry) => {
    ask(registry, 'Basic realm="r"', () => false);
    await assert.rejects(push(registry, false), isAuth(/^HEAD .*: 401$/));
    assert.equal(registry.log.length, 1);
  }));

/** A place that makes tokens `t1`, `t2`, ..., and notes what it was asked. */
class TokenServer {
  readonly asked: { url: URL; authorization: string | undefined }[] = [];
  answer: (response: http.ServerResponse) => void = (response) =>
    void response.end(JSON.stringify({ token: `t${this.asked.length}` }));
  readonly #server = http.createServer((request, response) => {
    const url = new URL(request.url!, "http://x");
    this.asked.push({ url, authorization: request.headers.authorization });
    this.answer(response);
  });

  async start(): Promise<string> {
    await new Promise<void>((done) => this.#server.listen(0, "127.0.0.1", done));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/token?x=1`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((done) => this.#server.close(done));
  }
}

async function withTokens(
  body: (registry: FakeRegistry, tokens: TokenServer, challenge: string) => Promise<void>,
): Promise<void> {
  const tokens = new TokenServer();
  const realm = await tokens.start();
  try {
    await withRegistry((registry) =>
      body(
        registry,
        tokens,
        `Bearer realm="${realm}",service="r.test",scope="repository:exports/a:pull"`,
      )
    );
  } finally {
    await tokens.stop();
  }
}

Deno.test("Bearer: one token that may push serves the whole push", () =>
  withTokens(async (registry, tokens, challenge) => {
    ask(registry, challenge, (value) => value === "Bearer t1");
    await push(registry);
    assert.equal(tokens.asked.length, 1);
    const { url, authorization } = tokens.asked[0]!;
    assert.equal(authorization, basic);
    assert.deepEqual([...url.searchParams], [
      ["x", "1"],
      ["service", "r.test"],
      ["scope", "repository:exports/a:pull,push"],
    ]);
    assert(
      registry.authorizations.every((value) => value !== basic),
      "the registry saw the password",
    );
  }));

Deno.test("Bearer: nobody asks for a token without credentials", () =>
  withTokens(async (registry, tokens, challenge) => {
    ask(registry, challenge, (value) => value === "Bearer t1");
    await push(registry, false);
    assert.equal(tokens.asked[0]!.authorization, undefined);
  }));

Deno.test("Bearer: a token that expires between and in the middle of blobs is renewed", () =>
  withTokens(async (registry, tokens, challenge) => {
    let uses = 0;
    ask(
      registry,
      challenge,
      (value) => value === `Bearer t${tokens.asked.length}` && uses++ % 4 < 3,
    );
    const report = await push(registry);
    assert.equal(report.uploaded, 6);
    assert(tokens.asked.length > 3, `only ${tokens.asked.length} tokens`);
  }));

Deno.test("Bearer: a fresh token that is refused ends as auth", () =>
  withTokens(async (registry, tokens, challenge) => {
    ask(registry, challenge, () => false);
    await assert.rejects(push(registry), isAuth(/^HEAD .*: 401$/));
    assert.deepEqual([tokens.asked.length, registry.log.length], [1, 2]);
  }));

const badTokens: [string, (response: http.ServerResponse) => void, RegExp][] = [
  ["401", (response) => void response.writeHead(401).end("hunter2"), /\/token: 401$/],
  ["no token", (response) => void response.end("{}"), /there is no token in the answer$/],
  ["no JSON", (response) => void response.end("hunter2"), /there is no token in the answer$/],
  [
    "a token with a line feed",
    (response) => void response.end('{"token":"a\\nb: c"}'),
    /there is no token in the answer$/,
  ],
];

for (const [what, answer, message] of badTokens) {
  Deno.test(`Bearer: ${what} from the realm ends as auth`, () =>
    withTokens(async (registry, tokens, challenge) => {
      tokens.answer = answer;
      ask(registry, challenge, () => false);
      await assert.rejects(push(registry), isAuth(message));
      assert.equal(tokens.asked.length, 1);
    }));
}

Deno.test("Bearer: a busy realm is asked again", () =>
  withTokens(async (registry, tokens, challenge) => {
    tokens.answer = (response) =>
      tokens.asked.length < 3
        ? void response.writeHead(503).end()
        : void response.end('{"access_token":"last"}');
    ask(registry, challenge, (value) => value === "Bearer last");
    await push(registry);
    assert.equal(tokens.asked.length, 3);
  }));

for (
  const realm of [
    "http://tokens.example/token",
    "ftp://127.0.0.1/token",
    "/token",
    "",
    "https://me:pw@tokens.example/",
  ]
) {
  Deno.test(`Bearer: credentials are not sent to the realm ${JSON.stringify(realm)}`, () =>
    withRegistry(async (registry) => {
      ask(registry, `Bearer realm="${realm}"`, () => false);
      await assert.rejects(push(registry), isAuth(/^The registry sends us to ".*" for a token$/));
    }));
}
