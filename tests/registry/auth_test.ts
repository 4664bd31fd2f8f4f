import assert from "node:assert/strict";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { parseChallenges } from "../../src/registry/challenge.ts";
import { RegistryClient } from "../../src/registry/client.ts";
import { RemoteError } from "../../src/net/failure.ts";
import { pushBundle, type PushReport } from "../../src/registry/push.ts";
import { parseEndpoint } from "../../src/domain/reference.ts";
import { type Credentials, Secret } from "../../src/registry/secret.ts";
import { TokenServer } from "../../src/registry/token_server.ts";
import { Transport } from "../../src/net/transport.ts";
import { FakeTiming, withBundle } from "../support/registry/fake_bundle.ts";
import { body } from "../support/registry/fake_answers.ts";
import { FakeRegistry } from "../support/registry/fake_registry.ts";

const credentials = { username: "me", password: new Secret("hunter2") };
const basic = `Basic ${btoa("me:hunter2")}`;

/** Pushes to `registry` as `me`, anonymously, or with other credentials. */
async function push(
  registry: FakeRegistry,
  known: boolean | Credentials = true,
  more: { chunk?: number } = {},
): Promise<PushReport> {
  const endpoint = parseEndpoint(`http://${registry.host}`);
  const transport = new Transport({ authorities: [], policy: () => {} });
  const timing = new FakeTiming();
  const client = new RegistryClient({
    endpoint,
    transport,
    timing,
    ...more,
    ...(known && { credentials: known === true ? credentials : known }),
  });
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

async function withRegistry(run: (registry: FakeRegistry) => Promise<void>): Promise<void> {
  const registry = await new FakeRegistry().start();
  try {
    await run(registry);
  } finally {
    await registry.stop();
  }
}

function isAuth(message: RegExp, hint = /./) {
  return (error: unknown) => {
    assert(error instanceof RemoteError, String(error));
    assert.equal(error.reason, "auth");
    assert.match(error.message, message);
    if (hint.source !== ".") assert.match(error.hint ?? "", hint);
    assert(!`${error.message} ${error.hint}`.includes("hunter2"));
    return true;
  };
}

Deno.test("authentication challenges are parsed", () => {
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

Deno.test("Basic: credentials are sent after the first challenge, and then always", () =>
  withRegistry(async (registry) => {
    ask(registry, 'Basic realm="r"', (value) => value === basic);
    await push(registry);
    assert.equal(registry.authorizations[0], undefined);
    assert(registry.authorizations.slice(1).every((value) => value === basic));
  }));

Deno.test("Basic: wrong credentials end as auth after one attempt", () =>
  withRegistry(async (registry) => {
    ask(registry, 'Basic realm="r"', () => false);
    const hint = /check the credentials/;
    await assert.rejects(push(registry), isAuth(/: HEAD .*: 401 Unauthorized$/, hint));
    assert.equal(registry.log.length, 2);
  }));

Deno.test("Basic: parallel requests that are refused once all succeed after the login", () =>
  withRegistry(async (registry) => {
    const refused: http.ServerResponse[] = [];
    registry.guard = (request, response) => {
      if (request.headers.authorization !== undefined) {
        return request.headers.authorization === basic;
      }
      refused.push(response);
      // The first one has to wait for the second, so that both were sent without credentials.
      if (refused.length < 2) return false;
      for (const one of refused) {
        one.writeHead(401, { "www-authenticate": 'Basic realm="r"' }).end();
      }
      return false;
    };
    // The archive of the bundle is then a large file, which is sent beside the small ones.
    await push(registry, true, { chunk: 1024 });
    assert.equal(refused.length, 2);
    assert(registry.manifests.has("v1"));
  }));

Deno.test("Basic: credentials that are refused during a push are not sent again", () =>
  withRegistry(async (registry) => {
    let uses = 0;
    ask(registry, 'Basic realm="r"', (value) => value === basic && uses++ < 3);
    await assert.rejects(push(registry), isAuth(/: 401 Unauthorized$/));
    assert.deepEqual([uses, registry.log.length], [4, 5]);
  }));

Deno.test("Basic: without credentials nothing is tried again", () =>
  withRegistry(async (registry) => {
    ask(registry, 'Basic realm="r"', () => false);
    const hint = /^log in: --credentials FILE/;
    await assert.rejects(push(registry, false), isAuth(/: HEAD .*: 401 Unauthorized$/, hint));
    assert.equal(registry.log.length, 1);
  }));

Deno.test("Basic: a publicly readable registry requires credentials at the first write", () =>
  withRegistry(async (registry) => {
    registry.guard = (request, response) => {
      const isRead = request.method === "GET" || request.method === "HEAD";
      if (isRead || request.headers.authorization === basic) return true;
      response.writeHead(401, { "www-authenticate": 'Basic realm="r"' }).end();
      return false;
    };
    await push(registry, true, { chunk: 1024 });
    assert(registry.manifests.has("v1"));
  }));

/**
 * Answers 401 without a challenge to what has no credentials; `/v2/` says `challenge`, or nothing.
 */
function askByPing(registry: FakeRegistry, challenge?: string): void {
  registry.guard = (request, response) => {
    if (request.headers.authorization === basic) return true;
    if (request.url !== "/v2/") response.writeHead(401).end();
    else if (challenge === undefined) response.writeHead(200).end();
    else response.writeHead(401, { "www-authenticate": challenge }).end();
    return false;
  };
}

Deno.test("Basic: credentials are sent to a registry that challenges only at /v2/", () =>
  withRegistry(async (registry) => {
    askByPing(registry, 'Basic realm="r"');
    await push(registry);
    assert(registry.manifests.has("v1"));
  }));

Deno.test("the error of a 401 without a challenge says that no credentials were requested", () =>
  withRegistry(async (registry) => {
    askByPing(registry);
    const message = /: 401 Unauthorized, and did not ask for the given credentials$/;
    await assert.rejects(
      push(registry),
      isAuth(message, /must offer Basic or Bearer in WWW-Authenticate$/),
    );
    assert.deepEqual(registry.authorizations.filter((value) => value !== undefined), []);
    await assert.rejects(push(registry, false), isAuth(/: 401 Unauthorized$/, /^log in: /));
  }));

/** A token server that issues tokens `t1`, `t2`, ... and records its requests. */
class FakeTokenServer {
  readonly asked: {
    method: string | undefined;
    url: URL;
    authorization: string | undefined;
    body: string;
  }[] = [];
  answer: (response: http.ServerResponse) => void = (response) =>
    void response.end(JSON.stringify({ token: `t${this.asked.length}` }));
  readonly #server = http.createServer(async (request, response) => {
    const { method, headers: { authorization } } = request;
    const sent = new TextDecoder().decode(await body(request));
    this.asked.push({ method, url: new URL(request.url!, "http://x"), authorization, body: sent });
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
  run: (registry: FakeRegistry, tokens: FakeTokenServer, challenge: string) => Promise<void>,
): Promise<void> {
  const tokens = new FakeTokenServer();
  const realm = await tokens.start();
  try {
    await withRegistry((registry) =>
      run(
        registry,
        tokens,
        `Bearer realm="${realm}",service="r.test",scope="repository:exports/a:pull"`,
      )
    );
  } finally {
    await tokens.stop();
  }
}

Deno.test("Bearer: one token with push access serves the whole push", () =>
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

Deno.test("Bearer: without credentials the token is requested anonymously", () =>
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
    await assert.rejects(push(registry), isAuth(/: HEAD .*: 401 Unauthorized$/));
    assert.deepEqual([tokens.asked.length, registry.log.length], [1, 2]);
  }));

const badTokens: [string, (response: http.ServerResponse) => void, RegExp][] = [
  ["401", (response) => void response.writeHead(401).end("hunter2"), /\/token: 401 Unauthorized$/],
  ["no token", (response) => void response.end("{}"), /the response has no token$/],
  ["no JSON", (response) => void response.end("hunter2"), /the response has no token$/],
  [
    "a token with a line feed",
    (response) => void response.end('{"token":"a\\nb: c"}'),
    /the response has no token$/,
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

Deno.test("Bearer: a request to a busy realm is retried", () =>
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
      await assert.rejects(
        push(registry),
        isAuth(/: Cannot fetch a token from ".*", which the registry \S+ names: /),
      );
    }));
}

Deno.test("Bearer: a parallel request uses the token that another one has got", () =>
  withTokens(async (registry, tokens, challenge) => {
    const refused: http.ServerResponse[] = [];
    const refuse = () => refused.shift()?.writeHead(401, { "www-authenticate": challenge }).end();
    registry.guard = (request, response) => {
      // The second 401 comes when the first one has been answered with a token.
      if (request.headers.authorization !== undefined) return refuse(), true;
      if (refused.push(response) === 2) refuse();
      return false;
    };
    await push(registry, true, { chunk: 1024 });
    assert.deepEqual([tokens.asked.length, refused.length], [1, 0]);
    assert(registry.manifests.has("v1"));
  }));

const identity = { identityToken: new Secret("hunter2") };

Deno.test("Bearer: an identity token is exchanged, and the returned one is used next", () =>
  withTokens(async (registry, tokens, challenge) => {
    tokens.answer = (response) => {
      const count = tokens.asked.length;
      response.end(JSON.stringify({ access_token: `t${count}`, refresh_token: `next${count}` }));
    };
    let uses = 0;
    const isFresh = (value: string) => value === `Bearer t${tokens.asked.length}`;
    ask(registry, challenge, (value) => isFresh(value) && uses++ % 9 < 8);
    await push(registry, identity);
    const [first, second] = tokens.asked;
    assert.deepEqual([first!.method, first!.authorization], ["POST", undefined]);
    assert.equal(first!.url.search, "?x=1", "no secret is in the URL");
    assert.deepEqual([...new URLSearchParams(first!.body)], [
      ["grant_type", "refresh_token"],
      ["client_id", "stella"],
      ["scope", "repository:exports/a:pull,push"],
      ["service", "r.test"],
      ["refresh_token", "hunter2"],
    ]);
    assert.equal(new URLSearchParams(second!.body).get("refresh_token"), "next1");
    assert(registry.authorizations.every((value) => !value?.includes("hunter2")));
  }));

Deno.test("Bearer: an identity token that is refused is not shown", () =>
  withTokens(async (registry, tokens, challenge) => {
    tokens.answer = (response) => void response.writeHead(400).end('{"error":"hunter2"}');
    ask(registry, challenge, () => false);
    await assert.rejects(push(registry, identity), {
      message: /: POST .*\/token: 400 Bad Request$/,
    });
  }));

Deno.test("Basic: an identity token is not used as a password", () =>
  withRegistry(async (registry) => {
    ask(registry, 'Basic realm="r"', () => false);
    const hint = /the registry does not accept identity tokens$/;
    await assert.rejects(push(registry, identity), isAuth(/: 401 Unauthorized$/, hint));
    assert.deepEqual(registry.authorizations, [undefined]);
  }));

for (
  const [registry, plainHttp, realm, isAsked] of [
    ["https://r.site", false, "https://tokens.site/token", true],
    ["https://r.site", false, "http://127.0.0.1/token", false],
    ["https://r.site", false, "http://r.site/token", false],
    ["http://r.site", true, "http://r.site:8080/token", true],
    ["http://r.site", true, "http://tokens.site/token", false],
    ["http://r.site", true, "http://127.0.0.1/token", false],
    ["http://127.0.0.1", false, "http://localhost:8080/token", true],
  ] as [string, boolean, string, boolean][]
) {
  Deno.test(`Bearer: ${registry} ${isAsked ? "may" : "may not"} name ${realm}`, async () => {
    const asked: string[] = [];
    const server = new TokenServer({
      endpoint: { url: new URL(registry), plainHttp },
      credentials,
      send: ({ url }) => {
        asked.push(url.origin);
        const answer = new TextEncoder().encode('{"token":"t"}');
        return Promise.resolve({ status: 200, header: () => undefined, body: answer });
      },
    });
    const fetching = server.fetch({
      parameters: new Map([["realm", realm], ["service", "s"]]),
      scope: "repository:a:pull",
    });
    if (isAsked) assert.equal((await fetching).reveal(), "t");
    else await assert.rejects(fetching, isAuth(/: it is not an https URL$/));
    assert.equal(asked.length, isAsked ? 1 : 0);
  });
}
