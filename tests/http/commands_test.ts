import assert from "node:assert/strict";
import { join } from "node:path";
import { encodeManifest, indexName, type Manifest, mediaTypes } from "../../src/bundle/manifest.ts";
import type { Host } from "../../src/cli/host.ts";
import { showHealth, showStatus } from "../../src/cli/status.ts";
import { serveHttp } from "../../src/http/http_server.ts";
import { Bench } from "./bench.ts";

function host(variables: Record<string, string> = {}): Host {
  return {
    environment: (name: string) => variables[name],
    stop: new AbortController().signal,
  } as unknown as Host;
}

/** A bundle's manifest that names this build. */
function manifestOf(commit: string): Uint8Array {
  const digest = "a".repeat(64);
  const manifest: Manifest = {
    schemaVersion: 1,
    mediaType: mediaTypes.manifest,
    profile: "kit",
    tenant: "default",
    created: "2026-01-01T00:00:00Z",
    tool: { name: "stella", version: "0.1.0", commit },
    payload: { layout: "archive", index: indexName, files: 1, bytes: 1 },
    files: [
      { path: indexName, role: "index", size: 70, sha256: digest },
      {
        path: "kit.tar",
        role: "archive",
        mediaType: mediaTypes.tar,
        size: 2048,
        sha256: digest,
        uncompressedSize: 2048,
        chunkSize: 4194304,
        chunks: [{ size: 2048, sha256: digest }],
      },
    ],
  };
  return encodeManifest(manifest);
}

async function serving(body: (url: string, bench: Bench) => Promise<void>): Promise<void> {
  using bench = new Bench();
  const server = await serveHttp(bench.app, { host: "127.0.0.1", port: 0 });
  try {
    await body(server.url, bench);
  } finally {
    await server.close(100);
  }
}

Deno.test("health maps readiness to an exit code and prints the service's checks, escaped", async () => {
  await serving(async (url, bench) => {
    bench.checks = [{ name: "storage:write", status: "pass", time: 0 }];
    const ready = await showHealth({ server: url }, host());
    assert.deepEqual([ready.code, ready.text], [0, "[+]storage:write pass\nreadiness: pass\n"]);
    bench.checks = [{ name: "lock:held", status: "fail", output: "gone\u001b[2J", time: 0 }];
    const not = await showHealth({}, host({ STELLA_URL: url }));
    assert.deepEqual([not.code, not.text], [
      13,
      "[-]lock:held fail: gone\\u{1b}[2J\nreadiness: fail\n",
    ]);
  });
});

Deno.test("status shows the build and the enabled features", async () => {
  await serving(async (url) => {
    const { code, text, json } = await showStatus(undefined, { server: url }, host());
    assert.equal(code, 0);
    assert.match(text, /^stella 0\.1\.0\n {2}commit {4}f{40}\n/);
    assert.match(text, /directoryTargets on, .*traces off/);
    assert.equal((json as { service: { form: string } }).service.form, "source");
  });
});

Deno.test("status compares the build with a bundle's manifest, by file or by directory", async () => {
  const directory = Deno.makeTempDirSync();
  const path = join(directory, "manifest.json");
  try {
    await serving(async (url) => {
      Deno.writeFileSync(path, manifestOf("f".repeat(40)));
      for (const manifest of [path, directory]) {
        const same = await showStatus(manifest, { server: url }, host());
        assert.equal(same.code, 0);
        assert.match(same.text, /names this very build/);
      }
      Deno.writeFileSync(path, manifestOf("e".repeat(40)));
      const { code, json, text } = await showStatus(path, { server: url }, host());
      assert.equal(code, 7);
      assert.match(text, /build_differs/);
      const { findings } = json as {
        findings: { reason: string; found: string; expected: string }[];
      };
      assert.deepEqual(findings.map(({ reason, found, expected }) => [reason, found, expected]), [[
        "build_differs",
        `commit ${"f".repeat(40)}`,
        `commit ${"e".repeat(40)}`,
      ]]);
    });
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
});

Deno.test("status fails if the bundle to compare with is invalid, after the service has answered", async () => {
  const directory = Deno.makeTempDirSync();
  try {
    await serving(async (url) => {
      const refused = (place: string) => showStatus(place, { server: url }, host());
      await assert.rejects(refused(directory), { kind: "manifest", message: /no manifest\.json/ });
      Deno.writeTextFileSync(join(directory, "manifest.json"), "{");
      await assert.rejects(refused(directory), { kind: "manifest" });
      await assert.rejects(refused("/nonexistent/manifest.json"), {
        kind: "io",
        message: /Cannot read a bundle at "\/nonexistent"/,
      });
    });
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
});

Deno.test("status fails without a service, with another service, and with an invalid URL", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  listener.close();
  const nobody = { server: `http://127.0.0.1:${port}` };
  await assert.rejects(showHealth(nobody, host()), {
    kind: "remote",
    message: /Cannot reach "http:\/\/127\.0\.0\.1:\d+\/health.*": connection refused$/,
    hint: /stella serve/,
  });
  // The name has two addresses, so the error has no message of its own.
  await assert.rejects(showHealth({ server: `http://localhost:${port}` }, host()), {
    message: /": connection refused$/,
  });
  for (const url of ["ftp://127.0.0.1", "8420"]) {
    await assert.rejects(showStatus(undefined, { server: url }, host()), {
      kind: "usage",
      message: /not an http or https URL/,
    });
  }
  let answer = "{}";
  const options = { hostname: "127.0.0.1", port: 0, onListen: () => {} };
  const other = Deno.serve(options, () => new Response(answer));
  const url = `http://127.0.0.1:${other.addr.port}`;
  await assert.rejects(showStatus(undefined, { server: url }, host()), {
    message: /Cannot read the status/,
  });
  answer = "x".repeat(100_000);
  await assert.rejects(showStatus(undefined, { server: url }, host()), {
    message: /too long for a stella service/,
  });
  await other.shutdown();
});

Deno.test("no request is sent to a service while variables that Deno itself reads are set", async () => {
  const hostile = host({ SSLKEYLOGFILE: "/nowhere/keys" });
  await assert.rejects(showHealth({}, hostile), { kind: "config", message: /SSLKEYLOGFILE/ });
});
