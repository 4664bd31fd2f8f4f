/** A test that waits for a line of a process gets it, or an error when the process ends. */
import assert from "node:assert/strict";
import { ChildLog } from "./child_log.ts";

const encoder = new TextEncoder();

/** A log that is written by hand. */
function written() {
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const writer = writable.getWriter();
  const write = (text: string) => writer.write(encoder.encode(text));
  return { log: new ChildLog(readable), write, end: () => writer.close() };
}

Deno.test("a line that was written before, or arrives in pieces, is matched with its groups", async () => {
  const { log, write, end } = written();
  const found = log.until(/listens on (\S+)\n/);
  await write("starting\nlistens on 127.0.");
  await write("0.1:8420\n");
  assert.equal((await found)[1], "127.0.0.1:8420");
  assert.equal((await log.until(/^starting$/m))[0], "starting");
  await end();
  await log.ended;
});

Deno.test("waiting for a line of a process that has ended is an error with its log", async () => {
  const { log, write, end } = written();
  const found = assert.rejects(log.until(/listens/), /has ended: no \/listens\/ .*\nno port left/s);
  await write("no port left\n");
  await end();
  await found;
  await assert.rejects(log.until(/listens/), /has ended/);
});
