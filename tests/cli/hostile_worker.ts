/**
 * What a chunk could do if it took over the worker that opens it: tries everything and returns what
 * succeeded.
 */
const attempts: Record<string, () => unknown> = {
  read: () => Deno.readDirSync("/").next(),
  write: () => Deno.writeTextFileSync("/dev/null", ""),
  net: () => Deno.listen({ hostname: "127.0.0.1", port: 0 }).close(),
  env: () => Deno.env.toObject(),
  run: () => new Deno.Command("/bin/true").outputSync(),
  sys: () => Deno.hostname(),
  ffi: () => Deno.dlopen("libc.so.6", {}).close(),
};

function wentThrough(attempt: () => unknown): boolean {
  try {
    attempt();
    return true;
  } catch {
    return false;
  }
}

if ("WorkerGlobalScope" in globalThis) {
  const port = globalThis as unknown as {
    onmessage: (event: MessageEvent<{ id: number }>) => void;
    postMessage(message: unknown): void;
  };
  port.onmessage = ({ data: { id } }) => {
    const names = Object.keys(attempts).filter((name) => wentThrough(attempts[name]!));
    port.postMessage({ id, result: { stored: names } });
  };
  port.postMessage("ready");
}
