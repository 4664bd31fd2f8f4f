/**
 * Variables and files that Deno, the loader or Node's modules read on their own (environment, home
 * directory): none of them has any effect.
 */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { refusedNames } from "../../src/config/permissions.ts";
import { tool } from "../support/needs.ts";
import { type BinaryPlace, binaryTest, form, runWith, unsetBy } from "./binary_place.ts";

/** A listener that counts connections and answers nothing. */
function trap(): { url: string; count: () => number; close: () => Promise<void> } {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const ports: number[] = [];
  let lastPort = 0;
  const done = (async () => {
    for await (const connection of listener) {
      ports.push((connection.remoteAddr as Deno.NetAddr).port);
      connection.close();
    }
  })();
  const { port } = listener.addr as Deno.NetAddr;
  return {
    url: `http://127.0.0.1:${port}`,
    count: () => ports.filter((one) => one !== lastPort).length,
    close: async () => {
      // Connections made while the program ran are still queued; this one is the last in the queue.
      const last = await Deno.connect({ hostname: "127.0.0.1", port });
      lastPort = (last.localAddr as Deno.NetAddr).port;
      assert.equal(await last.read(new Uint8Array(1)), null);
      last.close();
      listener.close();
      await done;
    },
  };
}

function hostile({ home }: BinaryPlace, url: string): Record<string, string> {
  const nowhere = join(home.path, "nowhere");
  return {
    HTTP_PROXY: url,
    HTTPS_PROXY: url,
    ALL_PROXY: url,
    http_proxy: url,
    https_proxy: url,
    all_proxy: url,
    OTEL_DENO: "true",
    OTEL_EXPORTER_OTLP_ENDPOINT: url,
    OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
    SSLKEYLOGFILE: join(home.path, "tls.keys"),
    NODE_TLS_REJECT_UNAUTHORIZED: "0",
    NODE_EXTRA_CA_CERTS: nowhere,
    NODE_OPTIONS: `--require=${nowhere}.cjs`,
    NODE_USE_ENV_PROXY: "1",
    NPM_CONFIG_REGISTRY: url,
    DENO_CERT: nowhere,
    DENO_TLS_CA_STORE: "system",
    DENO_AUDIT_PERMISSIONS: join(home.path, "audit"),
    DENO_PERMISSION_BROKER_PATH: `${nowhere}.sock`,
    DENO_DIR: join(home.path, "deno"),
    DENO_SERVE_ADDRESS: "tcp:127.0.0.2:0",
    DENO_V8_FLAGS: "--no-such-flag",
    DENO_TRACE_PERMISSIONS: "1",
    LD_PRELOAD: `${nowhere}.so`,
    LD_LIBRARY_PATH: home.path,
    LD_AUDIT: `${nowhere}.so`,
  };
}

Deno.test("the network trap of the test records a proxied request", async () => {
  const caught = trap();
  const lines =
    'await fetch("http://a.invalid", { signal: AbortSignal.timeout(3_000) }).catch(() => {})';
  runWith({ HTTP_PROXY: caught.url, HOME: "/nowhere" }, Deno.execPath(), ["eval", lines]);
  await caught.close();
  assert.equal(caught.count(), 1);
});

function own({ home }: BinaryPlace): Record<string, string> {
  return { HOME: home.path, STELLA_DATA: home.state };
}

/**
 * Variables that denort and the system's loader read before the program starts; the launcher passes
 * none of them on.
 */
const obeyed = /^(LD_|DENO_LOG$|DENO_TOKIO_|GLIBC_TUNABLES$|NODE_CHANNEL_FD$|SSLKEYLOGFILE$)/;

/** The variables, except those that a test leaves out. */
function without(
  variables: Record<string, string>,
  isLeftOut: (name: string) => boolean,
): Record<string, string> {
  return Object.fromEntries(Object.entries(variables).filter(([name]) => !isLeftOut(name)));
}

for (const unit of ["stella-verify@.service", "stella.service"]) {
  Deno.test(
    binaryTest(
      [],
      `hostile variables that ${unit} does not remove have no effect`,
      async (place) => {
        const { stella, home, bundle, key } = place;
        await home.succeed(["assets", "write", "--only", "systemd", "units"]);
        const unset = unsetBy(join(home.path, "units", unit));
        const more = {
          DENO_LOG: "debug",
          DENO_TOKIO_EVENT_INTERVAL: "none",
          GLIBC_TUNABLES: "glibc.malloc.check=3",
          LD_DEBUG: "all",
          LD_SHOW_AUXV: "1",
          NODE_CHANNEL_FD: "2",
        };
        const all = { ...hostile(place, "http://127.0.0.1:9"), ...more };
        const left = without(all, (name) => unset.includes(name));
        assert.deepEqual(Object.keys(left).filter((name) => obeyed.test(name)), []);
        const args = ["verify", bundle, "--trust", key, "--json"];
        const printed = runWith({ ...own(place), ...left }, stella, args);
        assert.deepEqual(printed, runWith(own(place), stella, args));
        assert.deepEqual([printed.code, printed.stderr], [0, ""]);
        await (await home.serve([], left)).stop();
      },
    ),
  );
}

Deno.test(binaryTest(
  [],
  "hostile variables have no effect on offline commands and cause no connection",
  async (place) => {
    const { stella, home, bundle } = place;
    const caught = trap();
    writeFileSync(join(home.path, ".npmrc"), "registry=${NOWHERE}\n");
    writeFileSync(join(home.path, "deno.json"), "{ this is no json");
    const given = hostile(place, caught.url);
    const obeys = (name: string) => form === "compiled" && obeyed.test(name);
    const variables = { ...own(place), ...without(given, obeys) };
    const commands = [
      ["version", "--check"],
      ["verify", bundle, "--json"],
      ["export", "bundle", "--profile", "kit", "--manifest", "again/manifest.json", "--quiet"],
    ];
    for (const args of commands) {
      const expected = runWith(own(place), stella, args, { cwd: home.path });
      const printed = runWith(variables, stella, args, { cwd: home.path });
      assert.deepEqual(printed, expected, args.join(" "));
      assert.equal(printed.code, 0, printed.stderr);
    }
    await caught.close();
    assert.equal(caught.count(), 0);
    for (const name of ["tls.keys", "audit", "deno"]) {
      assert.ok(!existsSync(join(home.path, name)), name);
    }
  },
));

Deno.test(binaryTest(
  [],
  "commands that use the network ignore hostile variables and report them before reaching another host",
  async (place) => {
    const caught = trap();
    const all = { ...own(place), ...hostile(place, caught.url) };
    // Without the launcher, the program sees the variables that it refuses, and the loader those
    // that it reads.
    const isSeen = (name: string) => refusedNames.some((one) => one === name);
    const variables = form === "portable"
      ? all
      : without(all, (name) => obeyed.test(name) || isSeen(name));
    const config = join(place.home.path, "sealed.yaml");
    writeFileSync(config, "version: 1\negress: { sealed: true, allow: ['127.0.0.1:1'] }\n");
    const push = (host: string) => [
      ...["export", "bundle", "push", "--manifest", place.bundle, "--config", config],
      `oci://${host}/exports/kit:latest`,
    ];
    const commands: [string[], RegExp | undefined][] = [
      [["status", "--url", "http://127.0.0.1:1"], undefined],
      [push("127.0.0.1:1"), undefined],
      [
        push("registry.invalid"),
        /^warning: ALL_PROXY, (DENO_\w+, )*HTTPS_PROXY, .*, https_proxy ignored: /,
      ],
    ];
    for (const [args, warning] of commands) {
      const { code, stderr } = runWith(variables, place.stella, args);
      assert.ok(code === 13 || code === 15, `${code}: ${stderr}`);
      if (warning === undefined) assert.ok(!stderr.includes("warning"), stderr);
      else assert.match(stderr, warning);
      assert.ok(!stderr.includes(caught.url), "the value is repeated");
    }
    if (form === "compiled") {
      const beside = without(all, (name) => obeyed.test(name));
      const { code, stderr } = runWith(beside, place.stella, push("127.0.0.1:1"));
      assert.equal(code, 2, stderr);
      assert.match(stderr, /Cannot use the network while DENO_[^]*OTEL_DENO[^]* is set/);
    }
    await caught.close();
    assert.equal(caught.count(), 0);
    assert.ok(!existsSync(join(place.home.path, "tls.keys")));
  },
));

Deno.test(binaryTest(
  ["strace"],
  "verification opens no connection, starts no process and writes no file",
  (place) => {
    const { stella, home, bundle, key } = place;
    const trace = join(home.path, "trace");
    const calls = "trace=network,execve,open,openat,openat2,creat,mkdir,mkdirat,rename,renameat," +
      "renameat2,unlink,unlinkat,link,linkat,symlink,symlinkat,truncate,ftruncate,chmod,fchmod,fchmodat";
    const args = ["-f", "-o", trace, "-e", calls, stella, "verify", bundle, "--trust", key];
    const { code, stderr } = runWith(own(place), tool("strace")!, args);
    assert.equal(code, 0, stderr);
    const lines = readFileSync(trace, "utf8").split("\n");
    assert.ok(lines.some((line) => line.includes("manifest.json")), "nothing was traced");
    const done = lines.filter((line) => !/ = -1 |resumed>|^\d+ (\+\+\+|---)/.test(line));
    assert.equal(
      done.filter((line) => line.includes("execve(")).length,
      1,
      "only the binary itself",
    );
    const outside = done.filter((line) =>
      /O_WRONLY|O_RDWR|O_CREAT|creat\(|mkdir|rename|unlink|link\(|linkat|truncate|chmod|connect\(|bind\(|sendto\(|listen\(/
        .test(line)
    );
    // Deno's own socket pairs between its threads, and its cache, whose path is below a file so
    // that nothing can be created.
    assert.deepEqual(
      outside.filter((line) => !/socketpair|"\/proc\/self\/exe\/none/.test(line)),
      [],
    );
  },
));

Deno.test(
  binaryTest(
    ["script"],
    "on a terminal, Deno does not prompt for permissions that were dropped",
    (place) => {
      const { stella, bundle, key } = place;
      const command = `'${stella}' verify --color never '${bundle}' --trust '${key}'`;
      const variables = { ...own(place), TERM: "xterm" };
      const args = ["-q", "-e", "-c", command, "/dev/null"];
      const { code, stdout } = runWith(variables, tool("script")!, args, { input: "n\nn\nn\n" });
      assert.equal(code, 0, stdout);
      assert.match(stdout, /verified {2}kit/);
      assert.doesNotMatch(stdout, /requests|Allow\?|--allow-/);
    },
  ),
);

Deno.test(binaryTest(
  [],
  "files to hand over are readable by everybody, files of the machine by their owner only",
  async ({ home }) => {
    mkdirSync(join(home.path, "made"));
    const script =
      'umask 000; exec "$0" export bundle --profile kit --manifest made/manifest.json --quiet';
    const { code } = runWith(
      { HOME: home.path, STELLA_DATA: join(home.path, "fresh") },
      "/bin/sh",
      [
        "-c",
        script,
        (await import("../support/program.ts")).binary!,
      ],
      { cwd: home.path },
    );
    assert.equal(code, 0);
    const mode = (path: string) => (Deno.statSync(join(home.path, path)).mode! & 0o777).toString(8);
    const modes = [
      "fresh",
      "fresh/keys",
      "fresh/keys/signing.key",
      "made/manifest.json",
      "made/verify.sh",
    ];
    assert.deepEqual(modes.map(mode), ["700", "700", "600", "644", "755"]);
  },
));
