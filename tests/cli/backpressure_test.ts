import assert from "node:assert/strict";
import type { BundleSource } from "../../src/bundle/source.ts";
import { Backpressure } from "../../src/cli/backpressure.ts";

const mebibyte = 1 << 20;

/** An endless file; each read fills the buffer. */
const endless: BundleSource = {
  name: "endless",
  open: () => ({ size: Infinity, read: (buffer) => buffer.length, close: () => {} }),
};

/** Reads continuously; `read` returns the number of MiB read once reading has paused. */
async function reading(backpressure: Backpressure): Promise<{ read(): Promise<number> }> {
  const reader = (await backpressure.source(endless).open("x"))!;
  let mebibytes = 0;
  void (async () => {
    const buffer = new Uint8Array(mebibyte);
    while (mebibytes < 1000) {
      await reader.read(buffer);
      mebibytes++;
    }
  })();
  const read = async () => {
    // Reading waits only for promises, which are all settled before a timer fires.
    await new Promise((done) => setTimeout(done, 0));
    return mebibytes;
  };
  return { read };
}

Deno.test("reading stays a bounded distance ahead of sending", async () => {
  const backpressure = new Backpressure();
  const { read } = await reading(backpressure);
  const ahead = await read();
  assert(ahead > 4 && ahead < 32, `${ahead} MiB came before anything was sent`);
  backpressure.sent(100 * mebibyte);
  assert.equal(await read(), ahead + 100);
  assert.equal(await read(), ahead + 100, "it goes on by itself");
});

Deno.test("reading does not wait once sending has ended", async () => {
  const backpressure = new Backpressure();
  const { read } = await reading(backpressure);
  assert((await read()) < 1000);
  backpressure.end();
  assert.equal(await read(), 1000);
});

Deno.test("a missing directory is empty, and listed files are returned", async () => {
  const source = new Backpressure().source({ name: "s", open: () => undefined, walk: () => [] });
  assert.equal(source.name, "s");
  assert.equal(await source.open("x"), undefined);
  assert.deepEqual(source.walk?.(""), []);
});
