/**
 * The program from source with proxy and certificate variables set: they have no effect, and a
 * warning says so where it matters.
 */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { requiring } from "../support/needs.ts";
import { Home } from "../support/program.ts";
import { Authority } from "../support/registry/authority.ts";
import { FakeRegistry } from "../support/registry/fake_registry.ts";

/** A proxy that counts connections. */
class Proxy {
  connections = 0;
  readonly #server = http.createServer((_, response) => void response.writeHead(500).end());

  async start(): Promise<this> {
    this.#server.on("connection", () => this.connections++);
    await new Promise<void>((done) => this.#server.listen(0, "127.0.0.1", done));
    return this;
  }

  get variables(): Record<string, string> {
    const url = `http://user:hunter2@127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
    const names = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"];
    return {
      ...Object.fromEntries(names.flatMap((name) => [[name, url], [name.toLowerCase(), url]])),
      NODE_USE_ENV_PROXY: "1",
      DENO_NO_UPDATE_CHECK: "1",
    };
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((done) => this.#server.close(done));
  }
}

const out = join("out", "manifest.json");

Deno.test("proxy variables are ignored, without a warning for this machine", async () => {
  const home = new Home();
  const registry = await new FakeRegistry().start();
  const proxy = await new Proxy().start();
  try {
    await home.succeed(["export", "bundle", "--profile", "kit", "--manifest", out]);
    const ref = `oci://${registry.host}/exports/kit:v1`;
    const commands = [
      ["export", "bundle", "push", "--manifest", "out", ref],
      ["verify", ref],
      ["export", "bundle", "pull", ref, "--to", "in"],
      ["verify", "in"],
    ];
    for (const command of commands) {
      const ran = await home.succeed(command, { env: proxy.variables });
      assert(!/warning|ignored/.test(ran.stderr), ran.stderr);
    }
    const service = await home.serve([], proxy.variables);
    try {
      const status = await home.succeed(["status", "--url", service.url], { env: proxy.variables });
      assert.equal(status.stderr, "");
    } finally {
      await service.stop();
    }
    assert(!service.log.includes("environment.ignored"), service.log);
    assert.equal(proxy.connections, 0);
  } finally {
    await proxy.stop();
    await registry.stop();
    home.remove();
  }
});

Deno.test(requiring(
  ["openssl"],
  "certificate variables neither add trusted authorities nor disable verification",
  async () => {
    const home = new Home();
    const [own, other] = [new Authority(), new Authority()];
    const registry = await new FakeRegistry(own.issue("IP:127.0.0.1", 2)).start();
    const variables = {
      NODE_EXTRA_CA_CERTS: own.path,
      DENO_CERT: own.path,
      NODE_TLS_REJECT_UNAUTHORIZED: "0",
      DENO_TLS_CA_STORE: "system",
    };
    const run = (ca: string) =>
      home.json(["verify", `oci://${registry.host}/exports/kit:v1`, "--ca", ca], {
        env: variables,
      });
    try {
      const refused = await run(other.path);
      assert.deepEqual([refused.exit, refused.error.reason], [13, "auth"]);
      assert.deepEqual(registry.log, []);
      const status = await home.stella(
        ["status", "--url", `https://${registry.host}`, "--ca", other.path],
        { env: variables },
      );
      assert.notEqual(status.code, 0);
      assert.deepEqual(registry.log, [], "the service client trusts it");
      // The registry has no such bundle, and says so.
      assert.equal((await run(own.path)).exit, 3);
      assert.equal(registry.log.length, 1);
    } finally {
      await registry.stop();
      own.remove();
      other.remove();
      home.remove();
    }
  },
));

Deno.test("ignored variables are reported once before another machine is reached", async () => {
  const home = new Home();
  const env = { HTTPS_PROXY: "http://user:hunter2@127.0.0.1:1", NODE_EXTRA_CA_CERTS: "/nowhere" };
  try {
    // Sealed: it ends before a name is looked up.
    writeFileSync(join(home.path, "s.yaml"), "version: 1\negress: { sealed: true, allow: [] }\n");
    await home.succeed(["export", "bundle", "--profile", "kit", "--manifest", out], { env });
    const ref = "oci://registry.invalid/exports/kit:v1";
    const commands = [
      ["verify", ref],
      ["export", "bundle", "pull", ref, "--to", "in"],
      ["export", "bundle", "push", "--manifest", "out", ref],
      ["export", "bundle", "--profile", "kit", "--manifest", out, "--push", ref, "--force"],
    ];
    for (const command of commands) {
      const ran = await home.stella([...command, "--config", "s.yaml", "--json"], { env });
      assert.equal(ran.code, 15, ran.stderr);
      const warnings = ran.stderr.split("\n").filter((line) => line.startsWith("warning: "));
      assert.deepEqual(warnings.map((line) => line.split(":")[1]), [
        " HTTPS_PROXY, NODE_EXTRA_CA_CERTS ignored",
      ], command.join(" "));
      assert(!ran.stderr.includes("hunter2"), "the value is repeated");
      assert.equal(JSON.parse(ran.stdout).code, 15);
      const quiet = await home.stella([...command, "--config", "s.yaml", "--quiet"], { env });
      assert.deepEqual([quiet.code, quiet.stderr.includes("warning")], [15, false]);
    }
    const local = await home.succeed(["verify", "out"], { env });
    assert.equal(local.stderr, "");
  } finally {
    home.remove();
  }
});

Deno.test("a service that connects to other machines logs what is ignored", async () => {
  const home = new Home();
  try {
    const config = join(home.path, "s.yaml");
    const lines = [
      "version: 1",
      "registries: { site: { url: 'https://registry.invalid' } }",
      "egress: { sealed: true, allow: [] }",
    ];
    writeFileSync(config, lines.join("\n"));
    const env = { HTTPS_PROXY: "http://user:hunter2@127.0.0.1:1" };
    const service = await home.serve(["--config", config], env);
    await service.stop();
    const logged = service.log.trim().split("\n").map((line) => JSON.parse(line));
    const [printed, ...more] = logged.filter(({ event }) => event === "environment.ignored");
    assert.match(printed?.detail, /^HTTPS_PROXY ignored: /, service.log);
    assert.deepEqual(more, []);
    assert(!service.log.includes("hunter2"));
  } finally {
    home.remove();
  }
});
