/** Bundles and keys fetched from a running service. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { parseExportUrl } from "../../src/cli/pull.ts";
import { ServiceClient } from "../../src/cli/service_client.ts";
import { Home, type Service } from "../support/program.ts";
import { host } from "../support/quiet_host.ts";

const token = "a".repeat(40);

/** A service with a token, and another machine that has the token and the service's key. */
async function served(
  body: (there: Home, here: Home, service: Service) => Promise<void>,
): Promise<void> {
  const [there, here] = [new Home(), new Home()];
  try {
    mkdirSync(join(there.path, "in"));
    writeFileSync(join(there.path, "in/a.txt"), "first\n");
    const sha256 = createHash("sha256").update(token).digest("hex");
    const config = join(there.path, "stella.yaml");
    writeFileSync(
      config,
      `version: 1
tokens: { ci: { sha256: "${sha256}", tenants: [default], scopes: [read, download, write] } }
profiles: { p: { kind: files, sources: [{ files: ${join(there.path, "in")} }] } }
`,
    );
    writeFileSync(join(here.path, "token"), `${token}\n`, { mode: 0o600 });
    const service = await there.serve(["--config", config]);
    try {
      await body(there, here, service);
    } finally {
      await service.stop();
    }
  } finally {
    there.remove();
    here.remove();
  }
}

const files = [
  "SHA256SUMS",
  "VERIFY.txt",
  "manifest.json",
  "manifest.json.sigstore.json",
  "p.tar.zst",
  "verify.sh",
];

Deno.test("keys show --server gets a service's key; --server with --manifest and pull get its bundles", () =>
  served(async (there, here, service) => {
    const key = ["keys", "show", "--public", "--server", service.url];
    assert.equal((await here.json(key)).exit, 16, "the first export makes the key");
    const none = await here.json([
      ...["export", "bundle", "--server", service.url, "--profile", "p"],
      ...["--manifest", "early/manifest.json", "--token-file", "token"],
    ]);
    assert.deepEqual([none.exit, none.error.hint.includes("keys show --public")], [2, true]);
    await there.succeed(["keys", "generate"]);
    const shown = await here.succeed(key);
    assert.match(shown.stderr, /compare its keyid/);
    assert.equal(shown.stdout, readFileSync(join(there.state, "keys/signing.pub"), "utf8"));
    writeFileSync(join(here.path, "service.pub"), shown.stdout);
    const env = { STELLA_TOKEN_FILE: join(here.path, "token") };

    const words = ["export", "bundle", "--server", service.url, "--profile", "p"];
    const asked = [...words, "--manifest", "out/manifest.json", "--trust", "service.pub"];
    const exported = await here.json(asked, { env });
    assert.deepEqual([exported.exit, exported.verdict], [0, "exported"]);
    assert.deepEqual(readdirSync(join(here.path, "out")).sort(), files);
    const verified = await here.json(["verify", "out", "--trust", "service.pub"]);
    assert.equal(verified.bundle.bundleDigest, exported.bundle.bundleDigest);

    const one = `${service.url}/v1/exports/${exported.id}`;
    for (const command of [["pull"], ["export", "bundle", "pull"]]) {
      const to = `by ${command.join(" ")}`;
      const ran = await here.json([...command, one, "--to", to, "--trust", "service.pub"], { env });
      assert.equal(ran.exit, 0);
      assert.deepEqual(readdirSync(join(here.path, to)).sort(), files);
      const stranger = await here.json([...command, one, "--to", "stranger"], { env });
      assert.deepEqual([stranger.exit, existsSync(join(here.path, "stranger"))], [5, false]);
    }
    const url = `${service.url}/v1/exports/${exported.id}/bundle.tar`;
    const trusted = ["--to", "more", "--trust", "service.pub"];
    assert.equal((await here.json(["pull", url, ...trusted], { env })).exit, 0);
    const untold = await here.json(["pull", url, ...trusted.with(1, "untold")]);
    assert.notEqual(untold.exit, 0, "without a token nothing is given out");
    const absent = url.replace(exported.id, "019b76da-a800-7000-8000-000000000000");
    assert.equal((await here.json(["pull", absent, ...trusted], { env })).exit, 16);
    assert.equal((await here.json(["pull", `${service.url}/x`, ...trusted], { env })).exit, 2);
    assert.equal(existsSync(join(here.path, "untold")), false);
  }));

/** A server that answers every request with a given response. */
async function answering(
  answer: (request: IncomingMessage, response: ServerResponse) => void,
  body: (url: string) => Promise<void>,
): Promise<void> {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    await body(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

Deno.test("a stream that is truncated or altered in transit leaves no files", () =>
  served(async (there, here, service) => {
    const done = await there.json([
      ...["export", "bundle", "--server", service.url, "--profile", "p"],
      ...["--token-file", join(here.path, "token")],
    ]);
    const path = `/v1/exports/${done.id}/bundle.tar`;
    const headers = { authorization: `Bearer ${token}` };
    const tar = new Uint8Array(
      await (await fetch(service.url + path, { headers })).arrayBuffer(),
    );
    const changed = Uint8Array.from(tar);
    changed[tar.length - 4000]! ^= 1;
    const trust = ["--trust", join(there.state, "keys/signing.pub")];
    const cases: [about: string, bytes: Uint8Array, length: number, codes: number[]][] = [
      ["as it is", tar, tar.length, [0]],
      ["a changed byte", changed, tar.length, [4, 7, 8]],
      ["a cut connection", tar.subarray(0, tar.length >> 1), tar.length, [13]],
      ["a short stream", tar.subarray(0, tar.length >> 1), tar.length >> 1, [6, 7, 10]],
      ["more at its end", Uint8Array.from([...tar, 1]), tar.length + 1, [8]],
    ];
    for (const [about, bytes, length, codes] of cases) {
      const send = (_: IncomingMessage, response: ServerResponse) => {
        response.writeHead(200, { "content-length": length });
        response.write(bytes, () => length > bytes.length ? response.destroy() : response.end());
      };
      await answering(send, async (url) => {
        const ran = await here.json(["pull", url + path, "--to", "out", ...trust]);
        assert.ok(codes.includes(ran.exit), `${about}: ${ran.exit} ${JSON.stringify(ran)}`);
        if (ran.exit === 0) await Deno.remove(join(here.path, "out"), { recursive: true });
        else if (existsSync(join(here.path, "out"))) {
          assert.deepEqual(readdirSync(join(here.path, "out")), [], about);
        }
      });
    }
  }));

Deno.test("a token is sent over TLS or to loopback, and in the clear elsewhere only if requested", () => {
  const path = Deno.makeTempFileSync();
  try {
    Deno.writeTextFileSync(path, token);
    Deno.chmodSync(path, 0o600);
    const clear = ["http://stella.site:8420", "http://10.0.0.5", "http://127.0.0.1.evil.test"];
    const fine = [
      "https://stella.site",
      "http://127.0.0.1:1",
      "http://localhost:1",
      "http://[::1]",
    ];
    const printed: string[] = [];
    const environment = (values: Record<string, string>) => (name: string) => values[name];
    const make = (url: string, more: object, values: Record<string, string> = {}) => {
      const own = {
        ...host,
        environment: environment(values),
        stderr: (t: string) => printed.push(t),
      };
      return new ServiceClient({ server: url, ...more }, own);
    };
    for (const url of fine) make(url, { tokenFile: path });
    for (const url of clear) {
      const refused = { kind: "policy", message: /plain http to another machine/ };
      assert.throws(() => make(url, { tokenFile: path }), refused);
      assert.throws(() => make(url, {}, { STELLA_TOKEN_FILE: path }), refused);
      const named = { STELLA_URL: url, STELLA_TOKEN_FILE: path };
      const own = { ...host, environment: environment(named) };
      assert.throws(() => new ServiceClient({}, own), refused);
      // Without a token, plain HTTP discloses no secret.
      make(url, {});
    }
    assert.deepEqual(printed, []);
    make("http://10.0.0.5", { tokenFile: path, insecureHttp: true });
    assert.deepEqual(printed, [
      "warning: the token is sent to 10.0.0.5 in the clear (--insecure-http)\n",
    ]);
  } finally {
    Deno.removeSync(path);
  }
});

Deno.test("a password in a service URL is neither used nor shown", () => {
  const forms = ["http://me:hunter2@127.0.0.1", "https://:hunter2@stella.site", "ftp://hunter2@h"];
  for (const url of [...forms, String.raw`http:\\me:hunter2@127.0.0.1`]) {
    const exported = `${url}/v1/exports/00000000-0000-4000-8000-000000000000`;
    for (
      const use of [() => new ServiceClient({ server: url }, host), () => parseExportUrl(exported)]
    ) {
      assert.throws(use, (error: Error & { kind?: string; hint?: string }) => {
        assert.equal(error.kind, "usage");
        assert.match(error.message, /it has credentials in it$/);
        assert.doesNotMatch(error.message + error.hint, /hunter2/);
        return true;
      });
    }
  }
});
