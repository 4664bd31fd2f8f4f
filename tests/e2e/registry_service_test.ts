/**
 * The service with a registry that is slow, silent or requires credentials; the registry is in
 * memory.
 */
import assert from "node:assert/strict";
import { randomFillSync } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { defaultChunk } from "../../src/registry/client.ts";
import { Home, type Service } from "../support/program.ts";
import { fail, FakeRegistry, type Handler } from "../support/registry/fake_registry.ts";
import { silent } from "../support/registry/corrupted.ts";
import { until } from "../support/site.ts";

interface Scene {
  home: Home;
  registry: FakeRegistry;
}

/** A configuration with `far`, which goes to the registry, and `near`, which does not. */
function serviceTest(
  name: string,
  { bytes = 1000, registry: more = "" },
  body: (scene: Scene) => Promise<void>,
): void {
  Deno.test(name, async () => {
    const home = new Home();
    const registry = await new FakeRegistry().start();
    try {
      const payload = join(home.path, "payload");
      mkdirSync(payload);
      mkdirSync(home.state, { mode: 0o700 });
      // Random, because compressible content would not make a large blob.
      writeFileSync(join(payload, "data"), randomFillSync(new Uint8Array(bytes)));
      const sources = `kind: files, compression: none, sources: [{ files: ${payload} }]`;
      writeFileSync(
        join(home.state, "stella.yaml"),
        `version: 1
service: { concurrency: 2 }
registries: { site: { url: "http://${registry.host}"${more} } }
profiles:
  near: { ${sources} }
  far: { ${sources}, targets: [{ registry: site, repository: exports/far, tag: v1 }] }
`,
      );
      await body({ home, registry });
    } finally {
      await registry.stop();
      home.remove();
    }
  });
}

function stateOf(service: Service, path: string, state: string): Promise<true> {
  const ask = async () => (await service.get(path)).state === state || undefined;
  return until(`${path} is ${state}`, ask, 60) as Promise<true>;
}

serviceTest(
  "exports without a registry and the API continue while pushes to a silent registry hold all places",
  {},
  async ({ home, registry }) => {
    const service = await home.serve();
    try {
      registry.fault(/\/v2\/exports\//, silent);
      const far: string[] = [];
      for (let i = 0; i < 4; i++) far.push(await service.submit({ profile: "far" }));
      await until("two pushes hang", () => registry.hits === 2 || undefined, 60);
      for (let i = 0; i < 3; i++) {
        assert.equal((await service.export({ profile: "near" })).state, "succeeded");
      }
      let slowest = 0;
      for (let i = 0; i < 50; i++) {
        const asked = performance.now();
        assert.equal((await service.get("/v1/exports")).items.length, 7);
        slowest = Math.max(slowest, performance.now() - asked);
      }
      // An API that waited for the registry would answer only after minutes, when the pushes time
      // out.
      assert(slowest < 20_000, `an answer took ${slowest} ms`);
      const states = await Promise.all(far.map(async (path) => (await service.get(path)).state));
      assert.deepEqual(states, ["running", "running", "queued", "queued"]);
    } finally {
      await service.stop("SIGKILL");
    }
  },
);

/** Takes so many bytes of a chunk and then neither reads nor answers. */
function stuckAfter(registry: FakeRegistry, bytes: number, stuck: () => void): Handler {
  return (request) => {
    const session = registry.sessions.get(new URL(request.url!, "http://x").pathname)!;
    let left = bytes;
    request.on("data", (piece: Uint8Array) => {
      if (left === 0) return;
      const part = piece.subarray(0, left);
      session.push(part);
      registry.received += part.length;
      left -= part.length;
      if (left > 0) return;
      request.pause();
      stuck();
    });
  };
}

serviceTest(
  "a service killed during a push resumes it and sends less than a chunk twice",
  { bytes: 2.5 * defaultChunk },
  async ({ home, registry }) => {
    const stuck = Promise.withResolvers<void>();
    let chunks = 0;
    registry.guard = (request, response) => {
      if (request.method !== "PATCH" || ++chunks !== 2) return true;
      stuckAfter(registry, defaultChunk / 2, stuck.resolve)(request, response);
      return false;
    };
    const first = await home.serve();
    const path = await first.submit({ profile: "far" });
    await stuck.promise;
    await first.stop("SIGKILL");
    registry.guard = undefined;
    const before = registry.received;
    assert(before >= 1.5 * defaultChunk, "the push was not cut in the middle of its second chunk");
    const second = await home.serve();
    try {
      await stateOf(second, path, "succeeded");
    } finally {
      await second.stop("SIGKILL");
    }
    assert(registry.manifests.has("v1"));
    const [archive] = [...registry.blobs.values()].filter(({ length }) => length > defaultChunk);
    const twice = registry.received - archive!.length;
    assert(twice < defaultChunk, `${twice} bytes beyond the archive were sent`);
  },
);

serviceTest(
  "a systemd credential is used for the registry and never shown",
  { registry: ", credential: site" },
  async ({ home, registry }) => {
    const right = `Basic ${btoa("me:hunter2")}`;
    registry.guard = ({ headers, url }, response) => {
      if (headers.authorization === right || url === "/v2/") return true;
      fail(response, 401, "UNAUTHORIZED", "who is it", { "www-authenticate": "Basic realm=test" });
      return false;
    };
    const credentials = join(home.path, "credentials");
    mkdirSync(credentials, { mode: 0o700 });
    writeFileSync(join(credentials, "site"), '{"username":"me","password":"hunter2"}', {
      mode: 0o400,
    });
    const service = await home.serve([], { CREDENTIALS_DIRECTORY: credentials });
    try {
      const path = await service.submit({ profile: "far" });
      await stateOf(service, path, "succeeded");
      assert(registry.manifests.has("v1"));
      assert(registry.authorizations.includes(right), "it was never asked for");
    } finally {
      assert.equal(await service.stop(), 0);
    }
    assert.doesNotMatch(service.log, /hunter2/);
    assert.equal(service.log.includes(btoa("me:hunter2")), false);
  },
);

serviceTest(
  "an export without its credential fails and names the missing file",
  { registry: ", credential: site" },
  async ({ home }) => {
    const service = await home.serve([], { CREDENTIALS_DIRECTORY: join(home.path, "none") });
    try {
      const job = await service.export({ profile: "far" });
      assert.equal(job.state, "failed");
      assert.match(job.error.message, /^Cannot read the credentials "site": no such file/);
    } finally {
      await service.stop("SIGKILL");
    }
  },
);
