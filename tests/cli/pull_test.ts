/** Pulling as a user runs it. */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { makeBundle, writeFiles } from "../support/bundle_fixture.ts";
import { streamOf } from "../support/bundle_stream.ts";
import { withHome } from "../support/program.ts";

Deno.test("a bundle larger than the free space is refused before anything is written", () =>
  withHome(async (home) => {
    const made = makeBundle({
      manifest: ({ files }) => void (files.find(({ role }) => role === "document")!.size = 2 ** 52),
    });
    writeFiles(home.path, { "signer.pub": made.key.publicPem });
    const stream = await streamOf(made);
    const service = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen() {} },
      () => new Response(new Uint8Array(stream)),
    );
    try {
      const id = "00000000-0000-7000-8000-000000000001";
      const url = `http://127.0.0.1:${service.addr.port}/v1/exports/${id}`;
      const words = ["pull", url, "--to", "out", "--trust", "signer.pub"];
      const { exit, error } = await home.json(words);
      assert.deepEqual([exit, error.reason], [12, "no_space"]);
      assert.match(error.message, /^Cannot pull into "out": the bundle has \d+ bytes and \d+ are/);
      assert.ok(!readdirSync(home.path).includes("out"));
    } finally {
      await service.shutdown();
    }
  }));
