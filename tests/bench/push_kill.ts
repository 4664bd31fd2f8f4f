/**
 * Kills pushes at random points and counts what was sent twice: `deno run -A
 * tests/bench/push_kill.ts [GIB] [KILLS]`. The registry is one of our own that keeps no byte: every
 * other time it forgets the chunk that was cut off, as those over object storage do.
 */
import assert from "node:assert/strict";
import { createHash, type Hash } from "node:crypto";
import { truncateSync, writeFileSync } from "node:fs";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { defaultChunk, defaultMaxChunk } from "../../src/registry/client.ts";
import { Home, programWords } from "../support/program.ts";

const [gibibytes = 4, kills = 20] = Deno.args.map(Number);
const large = gibibytes * 1024 ** 3;

interface Upload {
  hash: Hash;
  size: number;
}

/** As far as a push needs one. */
class Sink {
  /** Bytes of blobs that came over the wire. */
  received = 0;
  /** Whether a chunk that was cut off leaves nothing. */
  forgets = false;
  onBytes: () => void = () => {};
  readonly #uploads = new Map<string, Upload>();
  readonly #known = new Map<string, { size: number; bytes?: Uint8Array; type?: string }>();
  readonly #server = http.createServer((request, response) => {
    this.#answer(request, response).catch(() => response.destroy());
  });
  #next = 0;

  async start(): Promise<string> {
    await new Promise<void>((done) => this.#server.listen(0, "127.0.0.1", done));
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  reset(): void {
    this.received = 0;
    this.#uploads.clear();
    this.#known.clear();
  }

  async #answer(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url!, "http://x");
    const end = (status: number, headers: Record<string, string> = {}) =>
      void response.writeHead(status, { "content-length": "0", ...headers }).end();
    const upload = this.#uploads.get(pathname);
    if (request.method === "POST") {
      const path = `/v2/up/${this.#next++}`;
      this.#uploads.set(path, { hash: createHash("sha256"), size: 0 });
      return end(202, { location: path });
    }
    if (request.method === "GET" && upload !== undefined) {
      return end(204, { range: `0-${Math.max(0, upload.size - 1)}`, location: pathname });
    }
    if (request.method === "PATCH" && upload !== undefined) {
      const from = Number(request.headers["content-range"]!.split("-")[0]);
      if (from !== upload.size) return end(416);
      const before = { hash: upload.hash.copy(), size: upload.size };
      try {
        await this.#take(request, upload);
      } catch (error) {
        if (this.forgets) this.#uploads.set(pathname, before);
        throw error;
      }
      return end(202, { range: `0-${upload.size - 1}`, location: pathname });
    }
    if (request.method === "PUT" && upload !== undefined) {
      await this.#take(request, upload);
      const digest = `sha256:${upload.hash.digest("hex")}`;
      if (digest !== searchParams.get("digest")) return end(400);
      this.#known.set(digest, { size: upload.size });
      return end(201);
    }
    const name = pathname.split("/").at(-1)!;
    if (request.method === "PUT") {
      const pieces: Uint8Array[] = [];
      for await (const piece of request) pieces.push(piece);
      const size = pieces.reduce((sum, piece) => sum + piece.length, 0);
      this.#known.set(name, { size });
      return end(201);
    }
    const found = request.method === "HEAD" ? this.#known.get(name) : undefined;
    if (found === undefined) return end(404);
    response.writeHead(200, { "content-length": String(found.size) }).end();
  }

  async #take(request: http.IncomingMessage, upload: Upload): Promise<void> {
    for await (const piece of request as AsyncIterable<Uint8Array>) {
      upload.hash.update(piece);
      upload.size += piece.length;
      this.received += piece.length;
      this.onBytes();
    }
  }
}

/** Bytes of the largest memory that a process had. */
function peak(pid: number): number {
  try {
    const text = Deno.readTextFileSync(`/proc/${pid}/status`);
    return 1024 * Number(/VmHWM:\s+(\d+)/.exec(text)?.[1] ?? 0);
  } catch {
    return 0;
  }
}

const home = new Home();
const sink = new Sink();
try {
  const host = await sink.start();
  writeFileSync(join(home.path, "data"), "");
  truncateSync(join(home.path, "data"), large);
  await home.succeed([
    ...["export", "bundle", "--profile", "large", "--compression", "none"],
    ...["--input", "data", "--manifest", "out/manifest.json"],
  ]);
  let mostTwice = 0;
  let mostMemory = 0;
  for (let i = 0; i < kills; i++) {
    sink.reset();
    sink.forgets = i % 2 === 1;
    const at = Math.floor(Math.random() * large);
    const [command, ...words] = programWords();
    const args = ["export", "bundle", "push", "--manifest", "out", `oci://${host}/a/b:v1`];
    const push = () =>
      new Deno.Command(command, {
        args: [...words, ...args],
        cwd: home.path,
        env: home.environment(),
        clearEnv: true,
        stdout: "null",
        stderr: "inherit",
      }).spawn();
    const child = push();
    sink.onBytes = () => {
      if (sink.received < at) return;
      sink.onBytes = () => {};
      mostMemory = Math.max(mostMemory, peak(child.pid));
      child.kill("SIGKILL");
    };
    assert.equal((await child.status).signal, "SIGKILL", "the push was not killed");
    const before = sink.received;
    const again = push();
    sink.onBytes = () => {
      if (sink.received > large - defaultChunk) mostMemory = Math.max(mostMemory, peak(again.pid));
    };
    assert.equal((await again.status).code, 0);
    const twice = sink.received - large;
    mostTwice = Math.max(mostTwice, twice);
    const mode = sink.forgets ? "forgets" : "keeps";
    Deno.stdout.writeSync(new TextEncoder().encode(
      `${i + 1}: killed at ${before}, ${mode} the cut chunk, beyond the file ${twice} bytes\n`,
    ));
    assert(twice < defaultMaxChunk, "a whole chunk was sent twice");
  }
  Deno.stdout.writeSync(new TextEncoder().encode(
    `most sent twice ${mostTwice} bytes (a chunk is ${defaultChunk} to ${defaultMaxChunk}), peak memory ${
      (mostMemory / 1024 ** 2).toFixed(0)
    } MiB\n`,
  ));
} finally {
  home.remove();
}
Deno.exit(0);
