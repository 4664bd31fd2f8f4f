/**
 * The program on a sealed site: hosts that a registry names are connected to only if the
 * configuration allows them.
 */
import assert from "node:assert/strict";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { writeFileSync } from "node:fs";
import { Home } from "../support/program.ts";
import { FakeRegistry } from "../support/registry/fake_registry.ts";

/** A host that a registry names: counts connections and answers nothing useful. */
class Elsewhere {
  readonly asked: (string | undefined)[] = [];
  readonly #server = http.createServer((request, response) => {
    this.asked.push(request.headers.authorization);
    response.writeHead(404).end();
  });

  async start(): Promise<this> {
    await new Promise<void>((done) => this.#server.listen(0, "127.0.0.1", done));
    return this;
  }

  get host(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((done) => this.#server.close(done));
  }
}

interface Scene {
  home: Home;
  registry: FakeRegistry;
  elsewhere: Elsewhere;
  /** Writes the configuration: what a sealed site allows, or undefined for an open one. */
  configure(allow: string[] | undefined): void;
}

function sealedTest(name: string, run: (scene: Scene) => Promise<void>): void {
  Deno.test(name, async () => {
    const home = new Home();
    const registry = await new FakeRegistry().start();
    const elsewhere = await new Elsewhere().start();
    try {
      writeFileSync(join(home.path, "c.json"), '{"username":"me","password":"hunter2"}', {
        mode: 0o600,
      });
      const out = join("out", "manifest.json");
      await home.succeed(["export", "bundle", "--profile", "kit", "--manifest", out]);
      const configure = (allow: string[] | undefined) => {
        const egress = allow === undefined ? {} : { egress: { sealed: true, allow } };
        writeFileSync(join(home.path, "s.yaml"), JSON.stringify({ version: 1, ...egress }));
      };
      await run({ home, registry, elsewhere, configure });
    } finally {
      await elsewhere.stop();
      await registry.stop();
      home.remove();
    }
  });
}

const refOf = ({ registry }: Scene) => `oci://${registry.host}/exports/kit:v1`;
const commandsOf = (scene: Scene) => [
  ["verify", refOf(scene)],
  ["export", "bundle", "verify", "--manifest", refOf(scene)],
  ["export", "bundle", "pull", refOf(scene), "--to", "in"],
  ["export", "bundle", "push", "--manifest", "out", refOf(scene)],
];
const more = ["--credentials", "c.json", "--config", "s.yaml"];

sealedTest(
  "a sealed site does not connect to a token server that it does not allow",
  async (scene) => {
    const { home, registry, elsewhere, configure } = scene;
    registry.guard = (_, response) => {
      const challenge = `Bearer realm="http://${elsewhere.host}/token",service="x"`;
      response.writeHead(401, { "www-authenticate": challenge }).end();
      return false;
    };
    configure([registry.host]);
    for (const command of commandsOf(scene)) {
      const ran = await home.json([...command, ...more]);
      const [finding] = ran.findings;
      assert.deepEqual([ran.exit, finding?.reason, finding?.found], [
        15,
        "egress_refused",
        elsewhere.host,
      ], `${command.join(" ")}: ${JSON.stringify(ran)}`);
    }
    assert.deepEqual(elsewhere.asked, [], "somebody was asked, or shown credentials");
    assert(registry.authorizations.every((value) => value === undefined));
    configure([registry.host, elsewhere.host]);
    for (const command of commandsOf(scene)) {
      elsewhere.asked.length = 0;
      assert.equal((await home.json([...command, ...more])).exit, 13, command.join(" "));
      assert.deepEqual(new Set(elsewhere.asked), new Set([`Basic ${btoa("me:hunter2")}`]));
    }
  },
);

sealedTest("a sealed site does not connect to a registry that it does not allow", async (scene) => {
  const { home, registry, elsewhere, configure } = scene;
  configure([elsewhere.host]);
  for (const command of commandsOf(scene)) {
    assert.equal((await home.json([...command, ...more])).exit, 15, command.join(" "));
  }
  assert.deepEqual(registry.log, []);
});
