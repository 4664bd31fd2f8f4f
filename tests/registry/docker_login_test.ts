/** The program against docker-registry over TLS, in all the ways to log in: to push, to verify in place, to pull. */
import assert from "node:assert/strict";
import { createPrivateKey, sign, X509Certificate } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import https from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { testWith } from "../needs.ts";
import { Home } from "../program.ts";
import { Authority } from "./authority.ts";
import { type DockerRegistry, withDockerRegistry } from "./docker_registry.ts";

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

/** Push, verify in place, pull; the bundle comes out as it went in. */
async function roundTrip({ home, authority }: Scene, { host }: DockerRegistry, login: string[]) {
  const ref = `oci://${host}/exports/kit:v1`;
  const flags = ["--ca", authority.path, ...login];
  const push = await home.json(["export", "bundle", "push", "--manifest", "out", ref, ...flags]);
  assert.deepEqual([push.exit, push.verdict], [0, "verified"], JSON.stringify(push));
  const verified = await home.json(["verify", ref, ...flags]);
  assert.deepEqual([verified.exit, verified.verdict], [0, "verified"], JSON.stringify(verified));
  const pull = await home.json(["export", "bundle", "pull", ref, "--to", "in", ...flags]);
  assert.deepEqual([pull.exit, pull.files.length > 3], [0, true], JSON.stringify(pull));
  assert.deepEqual(readdirSync(join(home.path, "in")), readdirSync(join(home.path, "out")));
  await home.succeed(["verify", "in"]);
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

testWith(
  tools,
  "docker-registry: TLS and basic, by a file and by what docker login left",
  () =>
    scene(async (made) => {
      const { home, authority, tls } = made;
      writeFileSync(join(authority.dir, "htpasswd"), htpasswd);
      const auth = `auth: {htpasswd: {realm: test, path: ${authority.dir}/htpasswd}}`;
      await withDockerRegistry(async (registry) => {
        assert.match(await isRefused(made, registry, []), /: 401/);
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
        assert.match(await isRefused(made, registry, []), /: 401/);
      }, { http: `, tls: {${tls}}`, more: auth });
    }),
);

/** Makes tokens as docker's registry wants them: JWT with the certificate that it knows (distribution docs/spec/auth/jwt.md). */
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
  const server = https.createServer(authority.issue("IP:127.0.0.1", 2), (request, response) => {
    const scope = new URL(request.url!, "https://x").searchParams.getAll("scope");
    const { authorization } = request.headers;
    asked.push({ scope, authorization });
    if (authorization !== `Basic ${btoa("me:hunter2")}`) response.writeHead(401).end();
    else response.end(JSON.stringify({ token: token(scope) }));
  });
  return { server, asked };
}

testWith(tools, "docker-registry: TLS and a token server", () =>
  scene(async (made) => {
    const { authority, tls } = made;
    const signer = authority.issue("DNS:issuer.test", 2);
    writeFileSync(join(authority.dir, "issuer.pem"), signer.cert);
    const { server, asked } = tokenServer(made, signer.key, signer.cert);
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    const realm = `https://127.0.0.1:${(server.address() as AddressInfo).port}/token`;
    const bundle = `rootcertbundle: ${authority.path}`;
    const auth = `auth: {token: {realm: "${realm}", service: registry, issuer: test, ${bundle}}}`;
    try {
      await withDockerRegistry(async (registry) => {
        assert.match(await isRefused(made, registry, []), /token: 401/);
        asked.length = 0;
        await roundTrip(made, registry, ["--credentials", "site.json"]);
        assert.deepEqual(asked.map(({ scope }) => scope.join(" ")), [
          "repository:exports/kit:pull,push",
          "repository:exports/kit:pull",
          "repository:exports/kit:pull",
        ]);
      }, { http: `, tls: {${tls}}`, more: auth });
    } finally {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    }
  }));

testWith(tools, "docker-registry: a client certificate", () =>
  scene(async (made) => {
    const { home, authority, tls } = made;
    const client = authority.issue("DNS:client.test", 2);
    writeFileSync(join(home.path, "client.pem"), client.cert);
    writeFileSync(join(home.path, "client.key"), client.key, { mode: 0o600 });
    const flags = ["--client-cert", "client.pem", "--client-key", "client.key"];
    await withDockerRegistry(async (registry) => {
      assert.match(await isRefused(made, registry, []), /fatal alert: .*\n.*\] auth/);
      await roundTrip(made, registry, flags);
      chmodSync(join(home.path, "client.key"), 0o644);
      const ran = await home.stella([
        "verify",
        `oci://${registry.host}/exports/kit:v1`,
        ...flags,
        "--ca",
        authority.path,
      ]);
      assert.deepEqual([ran.code, /mode is 0644/.test(ran.stderr)], [2, true], ran.stderr);
    }, { http: `, tls: {${tls}, clientcas: [${authority.path}]}` });
  }));
