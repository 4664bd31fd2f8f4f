import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { download, type DownloadOptions } from "../../src/net/download.ts";
import { systemTiming } from "../support/timing.ts";

const content = "a line of data\n".repeat(200_000);
const sha256 = createHash("sha256").update(content).digest("hex");

class Site {
  readonly directory = Deno.makeTempDirSync({ prefix: "stella-download-" });
  readonly to = join(this.directory, "data");
  asked = 0;
  readonly #server: http.Server;

  constructor(answer: (response: http.ServerResponse, turn: number) => void) {
    this.#server = http.createServer((_, response) => answer(response, ++this.asked));
  }

  /** The file's text, once it is there. */
  async get(options: Partial<DownloadOptions> = {}): Promise<string> {
    if (!this.#server.listening) {
      await new Promise<void>((done) => this.#server.listen(0, "127.0.0.1", done));
    }
    const url = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/data`;
    const timing = { ...systemTiming, sleep: () => Promise.resolve() };
    await download({ url, sha256, to: this.to }, { timing, policy: () => {}, ...options });
    return Deno.readTextFileSync(this.to);
  }

  [Symbol.dispose](): void {
    this.#server.closeAllConnections();
    this.#server.close();
    Deno.removeSync(this.directory, { recursive: true });
  }
}

Deno.test("a file of several megabytes arrives whole and is readable by its owner only", async () => {
  using site = new Site((response) => response.end(content));
  assert.equal(await site.get(), content);
  assert.equal(Deno.statSync(site.to).mode! & 0o777, 0o600);
});

Deno.test("an interrupted download starts again from its beginning", async () => {
  using site = new Site((response, turn) => {
    if (turn === 1) {
      response.writeHead(200, { "content-length": content.length });
      response.write(content.slice(0, 100_000), () => response.destroy());
    } else if (turn === 2) response.writeHead(503).end("later");
    else response.end(content);
  });
  assert.equal(await site.get(), content);
  assert.equal(site.asked, 3);
});

Deno.test("an endless download is aborted and leaves no file", async () => {
  using site = new Site((response) => {
    const more = () =>
      response.writableEnded || response.destroyed || response.write(content, more);
    more();
  });
  await assert.rejects(site.get({ max: 5_000_000 }), {
    kind: "remote",
    message: /Received more than 5000000 bytes/,
  });
  assert.ok(!existsSync(site.to));
});

Deno.test("a stalled download is a timeout and leaves no file", async () => {
  using site = new Site((response) => response.write("x"));
  const timeouts = { connect: 30_000, stall: 300 };
  await assert.rejects(site.get({ timeouts }), { kind: "remote", message: /no data/ });
  assert.equal(site.asked, 5, "it was tried to the end");
  assert.ok(!existsSync(site.to));
});

Deno.test("the egress policy is checked first, and an existing file is not replaced", async () => {
  using site = new Site((response) => response.end(content));
  const policy = () => {
    throw new Error("sealed");
  };
  await assert.rejects(site.get({ policy }), /sealed/);
  assert.equal(site.asked, 0);
  Deno.writeTextFileSync(site.to, "mine");
  await assert.rejects(site.get(), { kind: "conflict" });
  assert.equal(Deno.readTextFileSync(site.to), "mine");
});
