/**
 * Parts that are read from the socket straight into memory (src/net/part_connection.ts): the right
 * bytes, or the caller falls back to another request.
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { randomFillSync } from "node:crypto";
import net, { type AddressInfo, type Socket } from "node:net";
import tls from "node:tls";
import { readPartHead } from "../../src/net/part_head.ts";
import { Transport } from "../../src/net/transport.ts";
import { requiring } from "../support/needs.ts";
import { Authority } from "../support/registry/authority.ts";

/** Nothing listens at the second address. */
const [here, nobody] = [{ address: "127.0.0.1", family: 4 }, { address: "127.0.0.9", family: 4 }];
let addresses = [here];
const content = randomFillSync(new Uint8Array(300_000));
/**
 * Milliseconds without a byte: for the tests of silence; elsewhere a busy machine must not look
 * like a silent one.
 */
const [short, long] = [300, 60_000];

interface Scene {
  transport: Transport;
  /** What the server was sent, connection by connection. */
  received: string[];
  /**
   * Asks for the bytes from `from` up to `to`. @returns what `fill` says, and whether the room has
   * the right bytes
   */
  fill(from: number, to: number, more?: object): Promise<[number | undefined, boolean]>;
}

type Speak = (socket: Socket, request: string, turn: number) => void;

/** A server that answers each request by `speak`, and who asks it. */
async function scene(
  speak: Speak,
  body: (scene: Scene) => Promise<void>,
  secure?: { key: string; cert: string; ca: string },
  stall = long,
): Promise<void> {
  const received: string[] = [];
  let turn = 0;
  const serve = (socket: Socket) => {
    const mine = received.push("") - 1;
    socket.on("error", () => {});
    socket.on("data", (bytes) => {
      const text = bytes.toString("latin1");
      received[mine] += text;
      if (text.endsWith("\r\n\r\n")) speak(socket, text, turn++);
    });
  };
  const server = secure ? tls.createServer(secure, serve) : net.createServer(serve);
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address() as AddressInfo;
  const transport = new Transport({
    authorities: secure ? [secure.ca] : [],
    policy: () => {},
    timeouts: { connect: long, stall },
    resolve: () => Promise.resolve(addresses),
  });
  const url = new URL(`${secure ? "https://registry.test" : "http://127.0.0.1"}:${port}/v2/b?x=1`);
  const fill: Scene["fill"] = async (from, to, more = {}) => {
    const room = new Uint8Array(to - from);
    const size = await transport.fill({ method: "GET", url, ...more }, from, room);
    return [size, Buffer.from(content.subarray(from, to)).equals(room)];
  };
  try {
    await body({ transport, received, fill });
  } finally {
    transport.close();
    await new Promise((done) => server.close(done));
  }
}

function rangeOf(request: string): [number, number] {
  const [, from, last] = /\r\nrange: bytes=(\d+)-(\d+)\r\n/.exec(request)!;
  return [Number(from), Number(last)];
}

function headOf(request: string, more = ""): string {
  const [from, last] = rangeOf(request);
  const range = `bytes ${from}-${last}/${content.length}`;
  return `HTTP/1.1 206 Partial Content\r\nContent-Length: ${last - from + 1}\r\n` +
    `Content-Range: ${range}\r\n${more}\r\n`;
}

const bodyOf = (request: string) => {
  const [from, last] = rangeOf(request);
  return content.subarray(from, last + 1);
};

const rightly: Speak = (socket, request) => {
  socket.write(headOf(request));
  socket.write(bodyOf(request));
};

Deno.test("consecutive parts are read whole on one connection", async () => {
  await scene(rightly, async ({ fill, received }) => {
    assert.deepEqual(await fill(0, 100_000), [content.length, true]);
    assert.deepEqual(await fill(100_000, 300_000), [content.length, true]);
    assert.equal(received.length, 1);
    assert.match(received[0]!, /^GET \/v2\/b\?x=1 HTTP\/1\.1\r\nhost: 127\.0\.0\.1:\d+\r\n/);
  });
});

Deno.test("concurrent parts use a connection each", async () => {
  await scene(rightly, async ({ fill, received }) => {
    const both = await Promise.all([fill(0, 150_000), fill(150_000, 300_000)]);
    assert.deepEqual(both, [[content.length, true], [content.length, true]]);
    assert.equal(received.length, 2);
  });
});

Deno.test("head and body are read in fragments of any size", async () => {
  const inPieces: Speak = async (socket, request) => {
    const all = Buffer.concat([Buffer.from(headOf(request)), bodyOf(request)]);
    for (let at = 0, size = 1; at < all.length; at += size, size = at < 200 ? 7 : 9_999) {
      socket.write(all.subarray(at, at + size));
      // So that each arrives by itself.
      await new Promise((done) => setTimeout(done, 1));
    }
  };
  await scene(inPieces, async ({ fill }) => {
    assert.deepEqual(await fill(1_000, 50_000), [content.length, true]);
    assert.deepEqual(await fill(50_000, 50_001), [content.length, true]);
  });
});

const others: Record<string, Speak> = {
  "a refusal": (socket) => socket.write("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n"),
  "all of the blob": (socket) =>
    socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${content.length}\r\n\r\n`),
  "another range": (socket, request) =>
    rightly(socket, request.replace(/bytes=(\d+)-(\d+)/, "bytes=1$1-1$2"), 0),
  "chunks": (socket, request) => socket.write(headOf(request, "Transfer-Encoding: chunked\r\n")),
  "a coding": (socket, request) => socket.write(headOf(request, "Content-Encoding: gzip\r\n")),
  "a connection that is upgraded": (socket, request) =>
    socket.write(headOf(request, "Connection: upgrade\r\n")),
  "a head without an end": (socket) => socket.write(`HTTP/1.1 206 x\r\nA: ${"b".repeat(20_000)}`),
  "no HTTP": (socket) => socket.write("SSH-2.0-x\r\n\r\n"),
  "an end": (socket) => socket.end(),
  "an end in the middle": (socket, request) => {
    socket.write(headOf(request));
    socket.end(bodyOf(request).subarray(0, 5));
  },
  "silence": () => {},
  "silence in the middle": (socket, request) => socket.write(headOf(request)),
  "more than was asked for": (socket, request) =>
    socket.write(Buffer.concat([Buffer.from(headOf(request)), content])),
};
for (const [name, speak] of Object.entries(others)) {
  Deno.test(`no part is read, and nothing hangs, if the answer is ${name}`, async () => {
    const atFirst: Speak = (socket, request, turn) =>
      (turn === 0 ? speak : rightly)(socket, request, turn);
    await scene(
      atFirst,
      async ({ fill, received }) => {
        assert.deepEqual(await fill(10, 20), [undefined, false]);
        if (name.startsWith("silence")) return;
        assert.deepEqual(
          await fill(10, 20),
          [content.length, true],
          "another connection may do it",
        );
        assert.equal(received.length, 2);
      },
      undefined,
      name.startsWith("silence") ? short : long,
    );
  });
}

Deno.test("a part may be the last one on its connection", async () => {
  const last: Speak = (socket, request) => {
    socket.write(headOf(request, "Connection: close\r\n"));
    socket.end(bodyOf(request));
  };
  await scene(last, async ({ fill, received }) => {
    for (let from = 0; from < 50_000; from += 10_000) {
      assert.deepEqual(await fill(from, from + 10_000), [content.length, true]);
    }
    assert.equal(received.length, 5);
  });
});

Deno.test("a kept connection that was closed is replaced, as often as necessary", async () => {
  let ended = Promise.withResolvers<void>();
  const once: Speak = (socket, request) => {
    socket.once("close", ended.resolve);
    socket.write(headOf(request));
    // What was written has to arrive before the connection ends.
    socket.write(bodyOf(request), () => setTimeout(() => socket.destroy(), 5));
  };
  await scene(once, async ({ fill }) => {
    for (let from = 0; from < 50_000; from += 10_000) {
      assert.deepEqual(await fill(from, from + 10_000), [content.length, true]);
      await ended.promise;
      ended = Promise.withResolvers();
      // So that this side notices it.
      await new Promise((done) => setTimeout(done, 15));
    }
  });
});

for (
  const [what, speak, max] of [["refuses", others["chunks"], 3], [
    "is silent",
    () => {},
    1,
  ]] as const
) {
  Deno.test(`a server that ${what} gets at most ${max} requests`, async () => {
    await scene(
      speak!,
      async ({ fill, received }) => {
        for (let i = 0; i < 6; i++) assert.deepEqual(await fill(0, 10), [undefined, false]);
        assert.equal(received.length, max);
      },
      undefined,
      what === "is silent" ? short : long,
    );
  });
}

Deno.test("extra bytes after a part close the connection and are not used for another part", async () => {
  const ended = Promise.withResolvers<void>();
  const tooMuch: Speak = (socket, request, turn) => {
    rightly(socket, request, turn);
    if (turn > 0) return;
    socket.once("close", ended.resolve);
    // After the answer was read, when nothing more may come.
    setTimeout(() => socket.write(headOf(request)), 10);
  };
  await scene(tooMuch, async ({ fill }) => {
    assert.deepEqual(await fill(0, 10), [content.length, true]);
    // A connection that were kept would not end before the test does.
    const never = setTimeout(ended.reject, 20_000, new Error("the connection has not ended"));
    await ended.promise.finally(() => clearTimeout(never));
    assert.deepEqual(await fill(10, 20), [content.length, true]);
  });
});

Deno.test("an abort ends waiting for a part", async () => {
  const stop = new AbortController();
  await scene(
    // When it waits for the answer.
    () => setTimeout(() => stop.abort(), 20),
    async ({ fill }) => {
      const began = performance.now();
      assert.deepEqual(await fill(0, 10, { signal: stop.signal }), [undefined, false]);
      // One that did not listen would wait for a byte, which takes ten seconds.
      assert(performance.now() - began < 5_000);
      await assert.rejects(fill(0, 10, { signal: stop.signal }), { kind: "interrupted" });
    },
    undefined,
    10_000,
  );
});

Deno.test("a token that contains a line end is not sent", async () => {
  await scene(rightly, async ({ fill, received }) => {
    const headers = { authorization: "Bearer x\r\nx-more: 1" };
    assert.deepEqual(await fill(0, 10, { headers }), [undefined, false]);
    assert.deepEqual(received.filter((text) => text !== ""), []);
  });
});

for (
  const [names, isBelieved] of [["DNS:registry.test", true], ["DNS:other.test", false]] as const
) {
  Deno.test(
    requiring(
      ["openssl"],
      `TLS: a part is ${isBelieved ? "" : "not "}requested from a server certified for ${names}`,
      async () => {
        const authority = new Authority();
        const { key, cert } = authority.issue(names, 2);
        const ca = Deno.readTextFileSync(authority.path);
        try {
          await scene(rightly, async ({ fill, received }) => {
            const headers = { authorization: "Bearer secret" };
            const size = isBelieved ? content.length : undefined;
            assert.deepEqual(await fill(5, 200_000, { headers }), [size, isBelieved]);
            assert.equal(received.join("").includes("secret"), isBelieved);
          }, { key, cert, ca });
        } finally {
          authority.remove();
        }
      },
    ),
  );
}

Deno.test(
  requiring(["openssl"], "TLS: the reachable one of several addresses is used", async () => {
    const authority = new Authority();
    const own = authority.issue("DNS:registry.test", 2);
    addresses = [nobody, here];
    try {
      await scene(rightly, async ({ fill }) => {
        assert.deepEqual(await fill(0, 10), [undefined, false]);
        assert.deepEqual(await fill(0, 10), [content.length, true]);
        assert.deepEqual(await fill(10, 200_000), [content.length, true]);
      }, { ...own, ca: Deno.readTextFileSync(authority.path) });
    } finally {
      addresses = [here];
      authority.remove();
    }
  }),
);

Deno.test(
  requiring(
    ["openssl"],
    "TLS: no request is sent to a server certified by another authority",
    async () => {
      const [own, other] = [new Authority(), new Authority()];
      try {
        const ca = Deno.readTextFileSync(other.path);
        await scene(rightly, async ({ fill, received }) => {
          assert.deepEqual(await fill(0, 10), [undefined, false]);
          assert.deepEqual(received.join(""), "");
        }, { ...own.issue("DNS:registry.test", 2), ca });
      } finally {
        own.remove();
        other.remove();
      }
    },
  ),
);

const head = "HTTP/1.1 206 P\r\ncontent-length: 5\r\ncontent-range: bytes 2-6/9\r\n\r\n";
const heads: [text: string, is: ReturnType<typeof readPartHead>][] = [
  [head, { length: head.length, size: 9, isLast: false }],
  [`${head}body`, { length: head.length, size: 9, isLast: false }],
  [head.slice(0, -1), "incomplete"],
  ["", "incomplete"],
  [head.replace("HTTP/1.1 206 P", "HTTP/1.1 206"), {
    length: head.length - 2,
    size: 9,
    isLast: false,
  }],
  [head.replace("HTTP/1.1", "HTTP/1.0"), "other"],
  [head.replace("206", "2060"), "other"],
  [head.replace("length: 5", "length: 6"), "other"],
  [head.replace("length: 5", "length: +5"), "other"],
  [head.replace("2-6", "1-5"), "other"],
  [head.replace("2-6", "2-7"), "other"],
  [head.replace("/9", "/*"), "other"],
  [head.replace("content-range", "x-range"), "other"],
  [head.replace("content-length", "content-length "), "other"],
  [head.replace("\r\ncontent-range", "\r\n content-range"), "other"],
  [head.replace("content-range", "content-length: 5\r\ncontent-range"), "other"],
  [head.replace("content-range", "Transfer-Encoding: identity\r\ncontent-range"), "other"],
];
Deno.test("only a matching response head is accepted", () => {
  for (const [text, is] of heads) {
    assert.deepEqual(readPartHead(Buffer.from(text), 2, 5), is, text);
  }
});
