/**
 * Large blobs: chunks, resumed and restarted uploads. The archive has a little more than two
 * chunks.
 */
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { memoryBlob } from "../../src/registry/blob.ts";
import { RegistryClient } from "../../src/registry/client.ts";
import { pushBundle, type PushOptions, type PushReport } from "../../src/registry/push.ts";
import { parseEndpoint } from "../../src/domain/reference.ts";
import {
  UploadFolder,
  type UploadMemory,
  type UploadSession,
} from "../../src/registry/sessions.ts";
import { BodyTooLarge, nextChunk } from "../../src/registry/upload.ts";
import { Transport } from "../../src/net/transport.ts";
import { type FakeBundle, FakeTiming, withBundle } from "../support/registry/fake_bundle.ts";
import { digestOf, fail, FakeRegistry, type Handler } from "../support/registry/fake_registry.ts";
import { accepted, status } from "../support/registry/corrupted.ts";

const chunk = 1024 * 1024;
const size = 2 * chunk + 512 * 1024;
const patch = /^PATCH /;
/** More than all other blobs of the bundle. */
const small = 10_000;

interface Scene {
  registry: FakeRegistry;
  bundle: FakeBundle;
  /** A client of its own each time, as another process would have. */
  push(
    more?: Partial<PushOptions>,
    chunks?: { chunk: number; maxChunk: number },
  ): Promise<PushReport>;
  uploads: UploadMemory & { size: number };
}

function uploadTest(name: string, body: (scene: Scene) => Promise<void>): void {
  Deno.test(name, () =>
    withBundle(async (bundle) => {
      const registry = await new FakeRegistry().start();
      const uploads = new Map();
      const push: Scene["push"] = async (more = {}, chunks = { chunk, maxChunk: chunk }) => {
        const transport = new Transport({ authorities: [], policy: () => {} });
        const endpoint = parseEndpoint(`http://${registry.host}`);
        const timing = new FakeTiming();
        const client = new RegistryClient({ endpoint, transport, timing, uploads, ...chunks });
        const options = { client, dir: bundle.dir, repository: "exports/a", tag: "v1", ...more };
        return await pushBundle(options).finally(() => client.close());
      };
      try {
        await body({ registry, bundle, push, uploads });
      } finally {
        await registry.stop();
      }
    }, size));
}

function isStored({ registry, bundle }: Scene): void {
  assert.deepEqual(registry.blobs.get(digestOf(bundle.archive)), bundle.archive);
  assert(registry.manifests.has("v1"));
}

const chunksOf = ({ registry }: Scene) => registry.log.filter((line) => patch.test(line)).length;

/** Takes so many bytes of a chunk into the upload, then ends the connection. */
function cutAfter({ registry }: Scene, bytes: number): Handler {
  return (request) => {
    const session = registry.sessions.get(new URL(request.url!, "http://x").pathname)!;
    let left = bytes;
    request.on("data", (piece: Uint8Array) => {
      const part = piece.subarray(0, left);
      session.push(part);
      registry.received += part.length;
      left -= part.length;
      if (left === 0) request.socket.destroy();
    });
  };
}

uploadTest("a large blob is sent in chunks, a small one whole", async (scene) => {
  await scene.push();
  isStored(scene);
  assert.equal(chunksOf(scene), 3);
  assert.equal(scene.registry.log.filter((line) => /^POST /.test(line)).length, 6);
  assert.equal(scene.uploads.size, 0, "a finished upload is still remembered");
});

uploadTest("chunks grow up to the maximum if they are sent quickly", async (scene) => {
  await scene.push({}, { chunk: chunk / 4, maxChunk: chunk });
  isStored(scene);
  assert.equal(chunksOf(scene), 4, "a quarter, two whole ones, and the rest");
});

Deno.test("a chunk that takes two seconds is followed by one of its size, a quick one by as much as goes in that time", () => {
  const growth = { max: 100 };
  const next = [[10, 1], [30, 999], [30, 1_500], [60, 999], [100, 1], [30, 9_000], [120, 1]].map((
    [bytes, time],
  ) => nextChunk(growth, bytes!, time!));
  assert.deepEqual(
    next,
    [80, 60, 40, 100, 100, 30, 120],
    "and what a registry wants at least is kept",
  );
});

uploadTest("a chunk too large for a proxy is sent smaller, and none grows again", async (scene) => {
  scene.registry.guard = (request, response) => {
    const isFit = Number(request.headers["content-length"] ?? 0) <= chunk / 2;
    if (!isFit) response.writeHead(413).end();
    return isFit;
  };
  await scene.push({}, { chunk: chunk / 4, maxChunk: 2 * chunk });
  isStored(scene);
  const sent = ["a quarter", "two MiB, which are refused", ...Array(9).fill("a quarter")];
  assert.equal(chunksOf(scene), sent.length);
});

/**
 * Refuses bodies above so many bytes as GHCR does, or as nginx does; those of some methods alone.
 */
function refuseAbove(
  { registry }: Scene,
  max: number,
  by: 413 | 416,
  methods = /^(PATCH|PUT)$/,
): string[] {
  const refused: string[] = [];
  registry.guard = (request, response) => {
    const { method = "" } = request;
    const length = Number(request.headers["content-length"] ?? 0);
    if (length <= max || !methods.test(method)) return true;
    refused.push(`${method} ${length}`);
    if (by === 413) response.writeHead(413).end("<html>too large</html>");
    else fail(response, 416, "REQUESTED_RANGE_NOT_SATISFIABLE", "exceeds the maximum");
    return false;
  };
  return refused;
}

for (const by of [413, 416] as const) {
  uploadTest(
    `chunks are halved while the registry answers ${by}, and stay so for later blobs`,
    async (scene) => {
      const refused = refuseAbove(scene, chunk / 4, by);
      await scene.push();
      isStored(scene);
      assert.deepEqual(refused, [`PATCH ${chunk}`, `PATCH ${chunk / 2}`]);
      assert.equal(chunksOf(scene), 2 + size / (chunk / 4));
      assert(scene.registry.received < size + small, "something was sent twice");
    },
  );

  uploadTest(`a blob that is refused whole with ${by} is sent in chunks`, async (scene) => {
    const refused = refuseAbove(scene, chunk, by);
    await scene.push({}, { chunk: 2 * size, maxChunk: 2 * size });
    isStored(scene);
    assert.deepEqual(refused, [`PUT ${size}`, `PATCH ${size / 2}`]);
  });

  uploadTest(
    `the blob is sent whole if the registry refuses every chunk with ${by}`,
    async (scene) => {
      const refused = refuseAbove(scene, 0, by, /^PATCH$/);
      await scene.push();
      isStored(scene);
      assert.deepEqual(refused, [`PATCH ${chunk}`, `PATCH ${chunk / 2}`, `PATCH ${chunk / 4}`]);
    },
  );

  uploadTest(`the hint names a remedy if every request is answered with ${by}`, async (scene) => {
    refuseAbove(scene, 200_000, by);
    const error = await scene.push().then(() => assert.fail("it was pushed"), (error) => error);
    assert.deepEqual([error.reason, error.status], ["rejected", by]);
    assert.match(error.hint, /client_max_body_size\) above 3 MB, or .* smaller --volume-size$/);
    assert(!scene.registry.manifests.has("v1"));
  });
}

uploadTest("chunks are not made smaller than the registry wants them", async (scene) => {
  const refused = refuseAbove(scene, chunk / 2, 413, /^PATCH$/);
  scene.registry.minChunk = chunk;
  await scene.push();
  isStored(scene);
  assert.deepEqual(refused, [`PATCH ${chunk}`], "then the whole is sent");
});

uploadTest("a 416 because of the place of a chunk makes no chunk smaller", async (scene) => {
  const { registry, push } = scene;
  registry.fault(patch, (request, response) => {
    const path = new URL(request.url!, "http://x").pathname;
    registry.sessions.get(path)!.push(scene.bundle.archive.slice(0, 1000));
    status(416)(request, response);
  }, 1);
  await push();
  isStored(scene);
  assert.equal(chunksOf(scene), 1 + 3);
});

uploadTest(
  "an answer to a chunk without Location or Range is accepted",
  async (scene) => {
    const { registry } = scene;
    registry.bareChunks = true;
    await scene.push();
    isStored(scene);
    assert.equal(chunksOf(scene), 3);
  },
);

Deno.test("the hint for a program says that --volume-size does not cut it", () => {
  const url = new URL("http://r.test/v2/x/blobs/uploads/1");
  const answer = { status: 413, header: () => undefined, body: new Uint8Array() };
  const blob = { ...memoryBlob(new Uint8Array(97_000_000)), isProgram: true };
  const { hint, message } = new BodyTooLarge({ method: "PUT", url, body: blob }, answer, blob);
  assert.match(hint!, /above 97 MB, or export without --include-self: --volume-size does not cut/);
  assert.match(message, /: 413 Payload Too Large$/);
});

uploadTest("the chunk size is not stored with the upload", async (scene) => {
  const { registry, push, uploads } = scene;
  registry.guard = (request, response) => {
    const isFit = request.method !== "PATCH" || chunksOf(scene) < 3;
    if (!isFit) response.writeHead(403).end();
    return isFit;
  };
  await assert.rejects(push({}, { chunk: chunk / 4, maxChunk: chunk }), { reason: "auth" });
  const kept = [...(uploads as Map<string, UploadSession>).values()];
  assert.deepEqual(kept.map(({ chunk, offset }) => [chunk, offset]), [[chunk / 4, 5 * chunk / 4]]);
});

uploadTest("a truncated chunk is resumed at the registry's offset", async (scene) => {
  const { registry, push } = scene;
  registry.fault(patch, cutAfter(scene, 400_001), 1);
  await push();
  isStored(scene);
  assert.equal(registry.hits, 1);
  assert.equal(registry.log.filter((line) => /^GET .*\/uploads\//.test(line)).length, 1);
  assert(registry.received < size + small, `${registry.received - size} bytes too many`);
});

uploadTest("another process resumes an upload and sends nothing twice", async (scene) => {
  const { registry, push, uploads } = scene;
  const stop = new AbortController();
  // The second chunk is the one that the machine dies under.
  let chunks = 0;
  registry.guard = (request) => {
    if (request.method === "PATCH" && ++chunks === 2) stop.abort();
    return true;
  };
  await assert.rejects(push({ signal: stop.signal }), { kind: "interrupted" });
  assert.equal(uploads.size, 1);
  const before = registry.received;
  assert(before >= chunk && before < size, `${before} bytes came`);
  await push();
  isStored(scene);
  assert(registry.received < size + small, "more than the rest was sent");
  assert.equal(uploads.size, 0);
});

uploadTest("an upload that the registry lost is restarted", async (scene) => {
  const { registry, push } = scene;
  registry.fault(patch, (request, response) => {
    registry.sessions.clear();
    status(404)(request, response);
  }, 1);
  await push();
  isStored(scene);
  assert.equal(registry.hits, 1);
});

uploadTest(
  "a push to a registry that loses every upload ends after five attempts",
  async (scene) => {
    const { registry, push } = scene;
    let chunks = 0;
    registry.guard = (request, response) => {
      if (request.method !== "PATCH" || ++chunks % 2 === 1) return true;
      registry.sessions.clear();
      fail(response, 404, "BLOB_UPLOAD_UNKNOWN", "gone");
      return false;
    };
    await assert.rejects(push(), /404 BLOB_UPLOAD_UNKNOWN: gone \(5 attempts\)$/);
    assert.equal(registry.manifests.has("v1"), false);
  },
);

for (
  const [what, act] of [
    ["counts wrongly", accepted(202, { location: "/v2/x", range: "0-0" })],
    ["has no PATCH", status(405)],
  ] as [string, Handler][]
) {
  uploadTest(`the blob is sent whole to a registry that ${what}`, async (scene) => {
    const { registry, push } = scene;
    registry.fault(patch, act);
    await push();
    isStored(scene);
    assert.equal(registry.hits, 1, "it was tried again in chunks");
  });
}

uploadTest("a push that makes progress survives many broken connections", async (scene) => {
  const { registry, push } = scene;
  registry.minChunk = 2 * chunk;
  registry.fault(patch, cutAfter(scene, 200_000), 4);
  await push();
  isStored(scene);
  assert.equal(registry.hits, 4);
  assert(registry.received < size + small, "something was sent twice");
});

uploadTest("a chunk has the least size that the registry asks for", async (scene) => {
  scene.registry.minChunk = 2 * chunk;
  await scene.push();
  isStored(scene);
  assert.equal(chunksOf(scene), 2);
});

uploadTest("a stored upload is not resumed at another registry", async (scene) => {
  const { registry, bundle, push, uploads } = scene;
  const key = `http://${registry.host}/v2/exports/a/blobs/uploads/@${digestOf(bundle.archive)}`;
  uploads.set(key, { location: "http://127.0.0.1:1/v2/x", offset: 0, chunk: chunk });
  await push();
  isStored(scene);
  assert.equal(uploads.size, 0);
});

uploadTest(
  "a blob of another repository is mounted, one that is not there is sent",
  async (scene) => {
    const { registry, bundle, push } = scene;
    const digest = digestOf(bundle.archive);
    registry.mountable.set(`exports/base@${digest}`, bundle.archive);
    const report = await push({ mountFrom: ["exports/none", "exports/base"] });
    isStored(scene);
    assert.deepEqual([report.uploaded, report.existed, chunksOf(scene)], [5, 1, 0]);
    await assert.rejects(
      push({ mountFrom: ["Exports"] }),
      /the repository "Exports" is not allowed$/,
    );
  },
);

Deno.test("a folder keeps uploads for six days, for their key only, and privately", () => {
  const dir = mkdtempSync(join(tmpdir(), "stella-uploads-"));
  try {
    let now = 1_000_000;
    const folder = new UploadFolder(join(dir, "uploads"), () => now);
    const session = { location: "https://r.test/v2/x?s=1", offset: 7, chunk: 8 };
    assert.equal(folder.get("a"), undefined);
    folder.set("a", session);
    folder.set("a", { ...session, offset: 9 });
    assert.deepEqual(folder.get("a"), { ...session, offset: 9 });
    assert.equal(folder.get("b"), undefined);
    const [name] = readdirSync(folder.directory);
    assert.equal(statSync(join(folder.directory, name!)).mode & 0o777, 0o600);
    assert.equal(statSync(folder.directory).mode & 0o777, 0o700);
    now += 6 * 24 * 3600_000 + 1;
    assert.equal(folder.get("a"), undefined, "too old");
    folder.set("a", session);
    writeFileSync(join(folder.directory, name!), "{");
    assert.equal(folder.get("a"), undefined, "damaged");
    folder.delete("a");
    assert.deepEqual(readdirSync(folder.directory), []);
  } finally {
    rmSync(dir, { recursive: true });
  }
});

uploadTest(
  "if a small blob is refused, the parallel large one is aborted and the refusal reported",
  async (scene) => {
    const { registry, push } = scene;
    registry.guard = (request, response) => {
      if (request.method === "PATCH") return true;
      const isFit = request.method !== "PUT";
      if (!isFit) response.writeHead(403).end();
      return isFit;
    };
    await assert.rejects(push(), { reason: "auth", message: /: PUT .*: 403/ });
    assert(!registry.manifests.has("v1"));
  },
);
