/** Bodies with backpressure (src/net/stream.ts): all bytes, timeouts, and an end with a reason. */
import assert from "node:assert/strict";
import { randomFillSync } from "node:crypto";
import http from "node:http";
import type { AddressInfo } from "node:net";
import type { Stream } from "../../src/net/message.ts";
import { Transport } from "../../src/net/transport.ts";
import type { Handler } from "../support/registry/fake_registry.ts";

const mebibyte = 1 << 20;
/**
 * Milliseconds without a byte: for the tests of silence; elsewhere a busy machine must not look
 * like a silent one.
 */
const [short, stall] = [400, 60_000];

/** Opens what `serve` answers. */
async function opened(
  serve: Handler,
  body: (stream: Stream) => Promise<void>,
  { signal, stall: limit = stall }: { signal?: AbortSignal; stall?: number } = {},
): Promise<void> {
  const server = http.createServer(serve);
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  const timeouts = { connect: stall, stall: limit };
  const transport = new Transport({ authorities: [], policy: () => {}, timeouts });
  try {
    const { stream } = await transport.open({ method: "GET", url, signal });
    await body(stream!).finally(() => stream!.close());
  } finally {
    transport.close();
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
  }
}

/** All that comes, read into buffers of these sizes in turn. */
async function all(stream: Stream, sizes: number[]): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  for (let i = 0;; i++) {
    const buffer = new Uint8Array(sizes[i % sizes.length]!);
    const length = await stream.read(buffer);
    if (length === 0) break;
    pieces.push(buffer.subarray(0, length));
  }
  return new Uint8Array(await new Blob(pieces as BlobPart[]).arrayBuffer());
}

const content = randomFillSync(new Uint8Array(3 * mebibyte + 7));

Deno.test("every byte is read once and in order, with buffers of any size", async () => {
  for (const sizes of [[mebibyte], [1, 65_537, 13, 100_000], [8 * mebibyte]]) {
    await opened((_, response) => response.end(content), async (stream) => {
      assert.deepEqual(await all(stream, sizes), content);
      assert.equal(await stream.read(new Uint8Array(1)), 0, "after the end there is nothing");
    });
  }
});

Deno.test("a body of small chunks, many in one packet, is read unchanged", async () => {
  await opened((_, response) => {
    for (let at = 0; at < 50_000; at += 10) response.write(content.subarray(at, at + 10));
    response.end();
  }, async (stream) => assert.deepEqual(await all(stream, [777]), content.subarray(0, 50_000)));
});

Deno.test("a reader that is slower than the limit for silence is not cut off", async () => {
  // Long enough for what is read then on a busy machine.
  const limit = 1_500;
  await opened((_, response) => response.end(content), async (stream) => {
    const first = new Uint8Array(10);
    assert.equal(await stream.read(first), 10);
    // Longer than a server may be silent: here it is the reader who is.
    await new Promise((done) => setTimeout(done, 2 * limit));
    assert.deepEqual(await all(stream, [mebibyte]), content.subarray(10));
  }, { stall: limit });
});

Deno.test("a reader that does not read stops the sender", async () => {
  let sent = 0;
  const max = 256;
  const serve: Handler = (_, response) => {
    const next = () => {
      while (sent < max && response.write(content.subarray(0, mebibyte))) sent++;
      if (sent < max) response.once("drain", () => (sent++, next()));
    };
    next();
  };
  await opened(serve, async (stream) => {
    assert((await stream.read(new Uint8Array(10))) > 0);
    // Time in which more could come.
    await new Promise((done) => setTimeout(done, short));
    assert(sent < max / 4, `${sent} MiB came without being asked for`);
  });
});

Deno.test("a body that stops ends as timeout, a truncated one as reset", async () => {
  const half: Handler = (_, response) => {
    response.writeHead(200, { "content-length": content.length });
    response.write(content.subarray(0, mebibyte));
  };
  await opened(half, async (stream) => {
    await assert.rejects(all(stream, [mebibyte]), {
      reason: "timeout",
      message: /no data within 0\.4 s$/,
    });
  }, { stall: short });
  const cut: Handler = (request, response) => {
    half(request, response);
    // What was written has to arrive first.
    setTimeout(() => response.destroy(), 20);
  };
  await opened(cut, async (stream) => {
    await assert.rejects(all(stream, [mebibyte]), { reason: "reset", isTransient: true });
  });
});

Deno.test("an abort while waiting for a byte ends as interrupted", async () => {
  const stop = new AbortController();
  await opened((_, response) => response.write("x"), async (stream) => {
    assert.equal(await stream.read(new Uint8Array(9)), 1);
    // When it waits.
    setTimeout(() => stop.abort(), 20);
    await assert.rejects(stream.read(new Uint8Array(9)), { kind: "interrupted" });
  }, { signal: stop.signal });
});
