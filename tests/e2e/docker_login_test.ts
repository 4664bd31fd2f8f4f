/** Push, verify in place and pull against docker-registry over TLS, with every way to log in. */
import assert from "node:assert/strict";
import { createPrivateKey, sign, X509Certificate } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import https from "node:https";
import type { AddressInfo } from "node:net";
import { dirname, join } from "node:path";
import { requiring } from "../support/needs.ts";
import { Home } from "../support/program.ts";
import { Authority } from "../support/registry/authority.ts";
import { body } from "../support/registry/fake_answers.ts";
import { type DockerRegistry, withDockerRegistry } from "../support/registry/docker_registry.ts";

const tools = ["docker-registry", "openssl"];
/** bcrypt of `hunter2`. */
const htpasswd = "me:$2b$04$Mc2rDkv./AkBGVNP4ZOEE.mm/lV7eKtw8LN.TVOe6P6XnkQMlCNj2\n";

interface Scene {
  home: Home;
  authority: Authority;
  /** Of the server's certificate and key, for the registry's configuration. */
  tls: string;
}

async function scene(body: (scene: Scene) => Promise<void>): Promise<void> {
  const home = new Home();
  const authority = new Authority();
  try {
    const { key, cert } = authority.issue("IP:127.0.0.1", 2);
    writeFileSync(join(authority.dir, "server.key"), key);
    writeFileSync(join(authority.dir, "server.pem"), cert);
    const tls = `certificate: ${authority.dir}/server.pem, key: ${authority.dir}/server.key`;
    writeFileSync(join(home.path, "site.json"), '{"username":"me","password":"hunter2"}');
    chmodSync(join(home.path, "site.json"), 0o600);
    await home.succeed(["export", "bundle", "--profile", "kit", "--manifest", "out/manifest.json"]);
    await body({ home, authority, tls });
  } finally {
    home.remove();
    authority.remove();
  }
}

/** Push, verify in place, pull; the pulled bundle equals the pushed one. */
async function roundTrip(
  { home, authority }: Scene,
  { host }: DockerRegistry,
  login: string[],
  env: Record<string, string> = {},
) {
  const ref = `oci://${host}/exports/kit:v1`;
  const flags = ["--ca", authority.path, ...login];
  const push = await home.json(["export", "bundle", "push", "--manifest", "out", ref, ...flags], {
    env,
  });
  assert.deepEqual([push.exit, push.verdict], [0, "verified"], JSON.stringify(push));
  const verified = await home.json(["verify", ref, ...flags], { env });
  assert.deepEqual([verified.exit, verified.verdict], [0, "verified"], JSON.stringify(verified));
  const pull = await home.json(["export", "bundle", "pull", ref, "--to", "in", ...flags], { env });
  assert.deepEqual([pull.exit, pull.files.length > 3], [0, true], JSON.stringify(pull));
  assert.deepEqual(readdirSync(join(home.path, "in")), readdirSync(join(home.path, "out")));
  await home.succeed(["verify", "in"]);
  rmSync(join(home.path, "in"), { recursive: true });
}

async function isRefused({ home, authority }: Scene, { host }: DockerRegistry, login: string[]) {
  const ref = `oci://${host}/exports/kit:v1`;
  const flags = ["--ca", authority.path, ...login];
  const ran = await home.stella(["export", "bundle", "pull", ref, "--to", "none", ...flags]);
  assert.equal(ran.code, 13, ran.stderr);
  assert(!`${ran.stdout}${ran.stderr}`.includes("hunter2"), "the password is shown");
  assert(!existsSync(join(home.path, "none")), "something was left behind");
  return ran.stderr;
}

Deno.test(requiring(
  tools,
  "docker-registry: push and pull over TLS with basic auth, from a file and from docker's config",
  () =>
    scene(async (made) => {
      const { home, authority, tls } = made;
      writeFileSync(join(authority.dir, "htpasswd"), htpasswd);
      const auth = `auth: {htpasswd: {realm: test, path: ${authority.dir}/htpasswd}}`;
      await withDockerRegistry(async (registry) => {
        assert.match(await isRefused(made, registry, []), /: 401 UNAUTHORIZED/);
        await roundTrip(made, registry, ["--credentials", "site.json"]);
        mkdirSync(join(home.path, ".docker"));
        const config = join(home.path, ".docker/config.json");
        const auths = { [registry.host]: { auth: btoa("me:hunter2") } };
        writeFileSync(config, JSON.stringify({ auths }), { mode: 0o600 });
        const again = await home.json([
          "verify",
          `oci://${registry.host}/exports/kit:v1`,
          "--ca",
          authority.path,
        ]);
        assert.equal(again.exit, 0, JSON.stringify(again));
        writeFileSync(
          config,
          JSON.stringify({ auths: { [registry.host]: { auth: btoa("me:wrong") } } }),
        );
        assert.match(await isRefused(made, registry, []), /: 401 UNAUTHORIZED/);
      }, { http: `, tls: {${tls}}`, more: auth });
    }),
));

/**
 * Issues tokens for docker's registry: JWT with the certificate that the registry trusts
 * (distribution docs/spec/auth/jwt.md).
 */
function tokenServer({ authority }: Scene, key: string, cert: string) {
  const asked: { scope: string[]; authorization: string | undefined }[] = [];
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const x5c = [new X509Certificate(cert).raw.toString("base64")];
  const token = (scopes: string[]) => {
    const access = scopes.map((scope) => scope.split(":")).map(([type, name, actions]) => (
      { type, name, actions: actions!.split(",") }
    ));
    const now = Math.floor(Date.now() / 1000);
    const claims = {
      iss: "test",
      aud: "registry",
      sub: "me",
      iat: now,
      nbf: now,
      exp: now + 300,
      access,
    };
    const text = `${part({ typ: "JWT", alg: "ES256", x5c })}.${part(claims)}`;
    const options = { key: createPrivateKey(key), dsaEncoding: "ieee-p1363" } as const;
    return `${text}.${sign("sha256", Buffer.from(text), options).toString("base64url")}`;
  };
  const tls = authority.issue("IP:127.0.0.1", 2);
  const server = https.createServer(tls, async (request, response) => {
    const form = new URLSearchParams(new TextDecoder().decode(await body(request)));
    const isExchange = form.get("grant_type") === "refresh_token";
    const query = isExchange ? form : new URL(request.url!, "https://x").searchParams;
    const scope = query.getAll("scope");
    const { authorization } = request.headers;
    asked.push({ scope, authorization });
    const isKnown = isExchange
      ? form.get("refresh_token") === "hunter2-refresh"
      : authorization === `Basic ${btoa("me:hunter2")}`;
    if (!isKnown) response.writeHead(401).end();
    else if (isExchange) response.end(JSON.stringify({ access_token: token(scope) }));
    else response.end(JSON.stringify({ token: token(scope) }));
  });
  return { server, asked };
}

Deno.test(
  requiring(
    tools,
    "docker-registry: push and pull over TLS with a token server",
    () =>
      scene(async (made) => {
        const { authority, tls } = made;
        const signer = authority.issue("DNS:issuer.test", 2);
        writeFileSync(join(authority.dir, "issuer.pem"), signer.cert);
        const { server, asked } = tokenServer(made, signer.key, signer.cert);
        await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
        const realm = `https://127.0.0.1:${(server.address() as AddressInfo).port}/token`;
        const bundle = `rootcertbundle: ${authority.path}`;
        const auth =
          `auth: {token: {realm: "${realm}", service: registry, issuer: test, ${bundle}}}`;
        try {
          await withDockerRegistry(async (registry) => {
            assert.match(await isRefused(made, registry, []), /token: 401 Unauth/);
            asked.length = 0;
            await roundTrip(made, registry, ["--credentials", "site.json"]);
            assert.deepEqual(
              asked.map(({ scope }) => scope.join(" ")),
              [
                "repository:exports/kit:pull,push",
                "repository:exports/kit:pull",
                "repository:exports/kit:pull",
              ],
            );
            await byIdentityToken(made, registry);
          }, { http: `, tls: {${tls}}`, more: auth });
        } finally {
          server.closeAllConnections();
          await new Promise((done) => server.close(done));
        }
      }),
  ),
);

/** The configuration that `docker login` writes, found by each of the variables that locate it. */
async function byIdentityToken(made: Scene, registry: DockerRegistry) {
  const entry = { auth: btoa("00000000-0000-0000-0000-000000000000:"), identitytoken: "" };
  const write = (path: string, identitytoken: string) => {
    mkdirSync(dirname(path), { recursive: true });
    const auths = { [`${registry.host}/exports`]: { ...entry, identitytoken } };
    writeFileSync(path, JSON.stringify({ auths }), { mode: 0o600 });
  };
  const at = (name: string) => join(made.home.path, name);
  write(at("docker/config.json"), "hunter2-refresh");
  write(at("run/containers/auth.json"), "hunter2-refresh");
  write(at("auth.json"), "hunter2-refresh");
  const variables = [
    { DOCKER_CONFIG: at("docker") },
    { XDG_RUNTIME_DIR: at("run") },
    { REGISTRY_AUTH_FILE: at("auth.json") },
  ];
  await roundTrip(made, registry, [], variables[0]);
  for (const env of variables.slice(1)) {
    const flags = ["--ca", made.authority.path];
    const verified = await made.home.json(
      ["verify", `oci://${registry.host}/exports/kit:v1`, ...flags],
      { env },
    );
    assert.deepEqual([verified.exit, verified.verdict], [0, "verified"], JSON.stringify(verified));
  }
  write(at("auth.json"), "hunter2-old");
  const ran = await made.home.stella(
    ["verify", `oci://${registry.host}/exports/kit:v1`, "--ca", made.authority.path],
    { env: { REGISTRY_AUTH_FILE: at("auth.json") } },
  );
  assert.deepEqual([ran.code, ran.stderr.includes("hunter2")], [13, false], ran.stderr);
  assert.match(ran.stderr, /POST .*\/token: 401 Unauthorized/);
}

Deno.test(
  requiring(
    tools,
    "docker-registry: push and pull with a client certificate",
    () =>
      scene(async (made) => {
        const { home, authority, tls } = made;
        const client = authority.issue("DNS:client.test", 2);
        writeFileSync(join(home.path, "client.pem"), client.cert);
        writeFileSync(join(home.path, "client.key"), client.key, { mode: 0o600 });
        const flags = ["--client-cert", "client.pem", "--client-key", "client.key"];
        await withDockerRegistry(async (registry) => {
          assert.match(
            await isRefused(made, registry, []),
            /fatal alert: .* \(code 13\)\nhint: +name a client certificate/,
          );
          await roundTrip(made, registry, flags);
          chmodSync(join(home.path, "client.key"), 0o644);
          const ran = await home.stella([
            "verify",
            `oci://${registry.host}/exports/kit:v1`,
            ...flags,
            "--ca",
            authority.path,
          ]);
          assert.deepEqual([ran.code, /mode 0644/.test(ran.stderr)], [2, true], ran.stderr);
        }, { http: `, tls: {${tls}, clientcas: [${authority.path}]}` });
      }),
  ),
);
