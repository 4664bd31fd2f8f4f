/**
 * The service behind its own certificate. The certificates are made here, so that none in the tree
 * can expire.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import type { Host } from "../../src/cli/host.ts";
import { showHealth } from "../../src/cli/status.ts";
import { readTls } from "../../src/config/tls_files.ts";
import { serveHttp } from "../../src/http/http_server.ts";
import { requiring, tool } from "../support/needs.ts";
import { Bench } from "./bench.ts";

function makePair(directory: string, name: string) {
  const key = join(directory, `${name}.key`);
  const certificate = join(directory, `${name}.pem`);
  execFileSync(tool("openssl")!, [
    ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"],
    ...["-keyout", key, "-out", certificate, "-subj", "/CN=stella", "-days", "2"],
    ...["-addext", "subjectAltName=IP:127.0.0.1"],
  ], { stdio: "ignore", timeout: 20_000 });
  Deno.chmodSync(key, 0o640);
  return { key, certificate };
}

const host = {
  environment: () => undefined,
  stop: new AbortController().signal,
} as unknown as Host;

Deno.test(requiring(
  ["openssl"],
  "clients that trust the service's certificate connect, and others do not",
  async () => {
    using bench = new Bench();
    const pair = makePair(bench.directory, "a");
    const server = await serveHttp(bench.app, { host: "127.0.0.1", port: 0 }, {
      tls: readTls(pair),
    });
    try {
      assert.match(server.url, /^https:\/\//);
      const trusted = await showHealth({ server: server.url, ca: pair.certificate }, host);
      assert.equal(trusted.code, 0);
      await assert.rejects(showHealth({ server: server.url }, host), {
        message: /self-signed|unknown/i,
      });
      const other = makePair(bench.directory, "b");
      await assert.rejects(showHealth({ server: server.url, ca: other.certificate }, host), {
        kind: "remote",
      });
      const plain = await fetch(server.url.replace("https", "http")).catch((error) => error);
      assert.ok(plain instanceof Error, "plain http is not answered");
    } finally {
      await server.close(100);
    }
  },
));

Deno.test(
  requiring(
    ["openssl"],
    "a key readable by everybody, a key of another certificate and a missing key are refused",
    () => {
      using bench = new Bench();
      const [one, two] = [makePair(bench.directory, "a"), makePair(bench.directory, "b")];
      const refusal = (
        files: { certificate: string; key: string },
        message: RegExp,
        kind = "config",
      ) => assert.throws(() => readTls(files), { kind, message });
      refusal({ ...one, key: two.key }, /not the key of/);
      refusal({ ...one, certificate: one.key }, /for TLS/);
      refusal({ ...one, key: "/nonexistent" }, /nonexistent": no such file/, "io");
      Deno.chmodSync(one.key, 0o644);
      refusal(one, /everybody may read it/);
    },
  ),
);
