/**
 * Canary secrets in every input that takes a secret, used by the service and the commands,
 * correctly and incorrectly. Afterwards everything that was printed, sent, stored or shown is
 * searched for them: row A10 of the test plan.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { requiring } from "../support/needs.ts";
import { Home, root, type Service } from "../support/program.ts";
import { Authority } from "../support/registry/authority.ts";
import { fail, FakeRegistry } from "../support/registry/fake_registry.ts";
import { basic, otherToken, Secrets, Seen, token } from "./canaries.ts";
import { configureStella, until } from "../support/site.ts";

const sample = join(root, "tests/fixtures/sample");
/** A registry that requires the password and records everything else that is sent in the clear. */
async function registryFor(seen: Seen): Promise<FakeRegistry> {
  const registry = await new FakeRegistry().start();
  registry.guard = (request, response) => {
    const { authorization, ...headers } = request.headers;
    seen.add(
      "request to the registry",
      `${request.method} ${request.url} ${JSON.stringify(headers)}`,
    );
    if (authorization === `Basic ${basic}`) return true;
    const challenge = { "www-authenticate": 'Basic realm="site"' };
    fail(response, 401, "UNAUTHORIZED", "say who you are", challenge);
    return false;
  };
  return registry;
}

function configure(home: Home, secrets: Secrets, registry: FakeRegistry, collector: string): void {
  const site = { url: `http://${registry.host}` };
  const digest = createHash("sha256").update(token).digest("hex");
  const files = { kind: "files", sources: [{ files: sample }] };
  const to = (name: string) => [{ registry: name, repository: "exports/a", tag: "t" }];
  configureStella(home, {
    registries: {
      site: { ...site, credentialsFile: secrets.of("site.json") },
      wrong: { ...site, credentialsFile: secrets.of("broken.json") },
    },
    service: { tls: { certificate: secrets.of("tls.pem"), key: secrets.of("tls.key") } },
    tokens: {
      ci: { sha256: digest, tenants: ["default"], scopes: ["read", "write", "download", "admin"] },
    },
    traces: { endpoint: collector },
    profiles: {
      sealed: { ...files, secretFile: secrets.of("shared.key"), targets: to("site") },
      failing: { ...files, targets: to("wrong") },
    },
  });
}

/** The service with its certificate. */
async function serve(home: Home): Promise<Service> {
  return await home.serve();
}

Deno.test(
  requiring(
    ["openssl"],
    "no secret is printed, sent, stored or shown",
    async () => {
      const [home, authority, seen] = [new Home(), new Authority(), new Seen()];
      const secrets = new Secrets(home, authority.issue("IP:127.0.0.1", 1));
      const registry = await registryFor(seen);
      secrets.logIn(registry.host);
      const options = { hostname: "127.0.0.1", port: 0, onListen: () => {} };
      await using collector = Deno.serve(options, async (request) => {
        seen.add("spans", `${JSON.stringify([...request.headers])} ${await request.text()}`);
        return Response.json({});
      });
      /** Runs a command, keeps what it printed. */
      const stella = async (...args: string[]) => {
        const ran = await home.stella(args);
        seen.add(args.join(" "), ran.stdout + ran.stderr);
        return ran;
      };
      const good = async (...args: string[]) => {
        const ran = await stella(...args);
        assert.equal(ran.code, 0, `${args.join(" ")}: ${ran.stdout}${ran.stderr}`);
      };
      const bad = async (...args: string[]) => {
        assert.notEqual((await stella(...args)).code, 0, args.join(" "));
      };
      const key = secrets.of("release.key");
      await good("keys", "generate", "--out", key, "--passphrase-file", secrets.of("passphrase"));
      await good("keys", "generate", "--algorithm", "hmac", "--out", secrets.of("shared.key"));
      configure(home, secrets, registry, `http://127.0.0.1:${collector.addr.port}`);
      const service = await serve(home);
      try {
        await commands(secrets, registry.host, good, bad);
        await session(service, secrets, authority.path, good, bad);
        await outside(service, authority.path, seen);
        // Spans are sent two seconds after an export ended.
        await until("spans have come", () => seen.has("spans") || undefined, 30);
        service.child.kill("SIGABRT");
        await service.child.status;
      } finally {
        await service.stop("SIGKILL");
        await registry.stop();
      }
      seen.add("log", service.log);
      assert.ok(registry.authorizations.includes(`Basic ${basic}`), "the password was used");
      for (const [digest, bytes] of registry.blobs) {
        seen.add(digest, new TextDecoder("latin1").decode(bytes));
      }
      const signing = join(home.state, "keys/signing.key");
      const needles = secrets.needles(
        key,
        secrets.of("shared.key"),
        secrets.of("tls.key"),
        signing,
      );
      seen.addFiles(home.path, /\/secrets\/|\/\.docker\/|\/keys\/signing\.key$/);
      assert.ok(seen.size > 100 && seen.has("spans"), `${seen.size} places`);
      assert.deepEqual(seen.placesOf(needles), []);
      const control = new Seen();
      control.addFiles(secrets.path, /^$/);
      assert.ok(control.placesOf(needles).length > 10, "a mark that is there is found");
      authority.remove();
      home.remove();
    },
  ),
);

type Run = (...args: string[]) => Promise<void>;

/** Commands with secrets that are valid, wrong, readable by everybody, and malformed. */
async function commands(secrets: Secrets, host: string, good: Run, bad: Run): Promise<void> {
  const of = (name: string) => secrets.of(name);
  const bundle = ["export", "bundle"];
  const kit = [
    ...bundle,
    "--profile",
    "kit",
    "--key",
    of("release.key"),
    "--secret",
    of("shared.key"),
  ];
  const open = ["--key-passphrase-file", of("passphrase")];
  const ref = `oci://${host}/exports/kit:one`;
  const trust = ["--trust", of("release.pub")];
  const secretOptions = ["--secret", of("shared.key")];
  await good(
    ...kit,
    ...open,
    "--push",
    ref,
    "--credentials",
    of("site.json"),
    "--report",
    "r.json",
  );
  await bad(...kit);
  await bad(...kit, "--key-passphrase-file", of("other-passphrase"));
  await bad(...bundle, "--profile", "kit", "--key", of("broken.key"));
  await bad(...bundle, "--profile", "kit", "--secret", of("tls.key"));
  await good("keys", "show", "--public", "--key", of("release.key"), ...open);
  await good("verify", "out", ...trust, ...secretOptions, "--json");
  await good(...bundle, "show", "--manifest", "out", ...trust, ...secretOptions);
  await good(...bundle, "pull", ref, "--to", "in", ...trust, "--credentials", of("site.json"));
  for (const name of ["open.json", "broken.json", "odd.json"]) {
    await bad(
      ...bundle,
      "pull",
      ref,
      "--to",
      "in-2",
      ...trust,
      "--credentials",
      of(name),
      "--json",
    );
  }
  await good(...bundle, "pull", ref, "--to", "in-3", ...trust);
  // The registry has no TLS; the error appears only once the certificate has been read.
  for (const name of ["tls.key", "broken.key"]) {
    const shown = ["--ca", of("tls.pem"), "--client-cert", of("tls.pem"), "--client-key", of(name)];
    await bad("verify", ref, ...trust, ...shown, "--credentials", of("site.json"));
  }
  await good("config", "check");
}

/** Requests to the service, with a valid token and with others. */
async function session(
  { url }: Service,
  secrets: Secrets,
  authority: string,
  good: Run,
  bad: Run,
): Promise<void> {
  const at = ["--url", url, "--ca", authority];
  const known = ["--token-file", secrets.of("token")];
  const submit = ["export", "bundle", "--server", url, "--ca", authority];
  await good(...submit, ...known, "--profile", "sealed");
  await bad(...submit, ...known, "--profile", "failing");
  await good("jobs", "list", ...at, ...known, "--json");
  await bad("jobs", "list", ...at, "--token-file", secrets.of("other-token"));
  await bad("jobs", "list", ...at, "--token-file", secrets.of("open-token"));
  await good("timeline", ...at, ...known);
  await good("status", ...at, ...known, "--manifest", "out");
  await good("health", ...at);
}

/** What any user can see of the running service and its process. */
async function outside(service: Service, authority: string, seen: Seen): Promise<void> {
  using client = Deno.createHttpClient({ caCerts: [readFileSync(authority, "utf8")] });
  const paths = [
    "/metrics",
    "/status",
    "/health/readiness?verbose",
    "/runbook",
    "/openapi.json",
    "/v1/exports",
  ];
  for (const authorization of [`Bearer ${token}`, `Bearer ${otherToken}`, `Basic ${basic}`, ""]) {
    for (const path of paths) {
      const headers: HeadersInit = authorization === "" ? {} : { authorization };
      const answer = await fetch(service.url + path, { client, headers });
      seen.add(path, `${JSON.stringify([...answer.headers])} ${await answer.text()}`);
    }
  }
  for (const name of ["cmdline", "environ"]) {
    seen.add(name, readFileSync(`/proc/${service.child.pid}/${name}`, "latin1"));
  }
}
