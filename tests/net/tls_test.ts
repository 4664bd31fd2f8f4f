/**
 * Which certificates of a registry are trusted. The certificates are made here, so that none in the
 * tree can expire.
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { readFileSync, writeFileSync } from "node:fs";
import { StellaError } from "../../src/domain/errors.ts";
import { authorities } from "../../src/net/authorities.ts";
import { RemoteError } from "../../src/net/failure.ts";
import { openRegistry } from "../../src/registry/open.ts";
import { parseEndpoint } from "../../src/domain/reference.ts";
import { requiring } from "../support/needs.ts";
import { Authority } from "../support/registry/authority.ts";
import { FakeTiming } from "../support/registry/fake_bundle.ts";
import { FakeRegistry } from "../support/registry/fake_registry.ts";

/**
 * Pings a registry that shows a certificate for `names` under the name registry.test, which
 * resolves to loopback.
 */
async function ping(
  names: string,
  options: { days?: number; url?: string; trusted?: boolean } = {},
): Promise<void> {
  const { days = 2, url = "https://registry.test", trusted = true } = options;
  const authority = new Authority();
  const registry = await new FakeRegistry(authority.issue(names, days)).start();
  const endpoint = parseEndpoint(`${url}:${registry.port}`);
  const client = openRegistry({ endpoint, ...(trusted && { ca: authority.path }) }, {
    timing: new FakeTiming(),
    policy: () => {},
    resolve: () => Promise.resolve([{ address: "127.0.0.1", family: 4 }]),
  });
  try {
    await client.ping();
    assert.deepEqual(registry.log, ["GET /v2/"]);
  } catch (error) {
    assert.deepEqual(registry.log, [], "a request was sent to a server that is not believed");
    throw error;
  } finally {
    client.close();
    await registry.stop();
    authority.remove();
  }
}

function refusal(message: RegExp) {
  return (error: unknown) => {
    assert(error instanceof RemoteError, String(error));
    assert.deepEqual([error.reason, error.isTransient], ["auth", false]);
    assert.match(error.message, message);
    return true;
  };
}

Deno.test(requiring(
  ["openssl"],
  "TLS: a certificate by the configured authority is trusted, for a name and for an address",
  async () => {
    await ping("DNS:registry.test");
    await ping("IP:127.0.0.1", { url: "https://127.0.0.1" });
  },
));

Deno.test(requiring(
  ["openssl"],
  "TLS: the certificate of another name is refused",
  () => assert.rejects(ping("DNS:other.test"), refusal(/does not match certificate's altnames/)),
));

Deno.test(requiring(
  ["openssl"],
  "TLS: the certificate of another address is refused",
  () => assert.rejects(ping("IP:127.0.0.9", { url: "https://127.0.0.1" }), refusal(/altnames/)),
));

Deno.test(requiring(
  ["openssl"],
  "TLS: an expired certificate is refused",
  () =>
    assert.rejects(ping("DNS:registry.test", { days: -1 }), refusal(/certificate has expired$/)),
));

Deno.test(requiring(
  ["openssl"],
  "TLS: a certificate by another authority is refused",
  () => assert.rejects(ping("DNS:registry.test", { trusted: false }), refusal(/unable to verify/)),
));

Deno.test(requiring(["openssl"], "TLS: a server without TLS ends as reset", async () => {
  const registry = await new FakeRegistry().start();
  const client = openRegistry({ endpoint: parseEndpoint(`https://127.0.0.1:${registry.port}`) }, {
    timing: new FakeTiming(),
    policy: () => {},
  });
  await assert.rejects(client.ping(), { kind: "remote", reason: "reset" });
  client.close();
  await registry.stop();
}));

Deno.test("a file without a certificate is refused as the authority", () => {
  const path = import.meta.filename!;
  const endpoint = parseEndpoint("https://registry.test");
  const dependencies = { timing: new FakeTiming(), policy: () => {} };
  assert.throws(() => openRegistry({ endpoint, ca: "/nonexistent" }, dependencies), {
    kind: "io",
    message: /^Cannot read the certificates "\/nonexistent"/,
  });
  assert.throws(() => openRegistry({ endpoint, ca: path }, dependencies), {
    kind: "config",
    message: /^Cannot use the certificate authorities ".*": there is no certificate in it$/,
  });
});

Deno.test(
  requiring(["openssl"], "a CA file is read in the ways that Windows writes it", async () => {
    const authority = new Authority();
    const registry = await new FakeRegistry(authority.issue("IP:127.0.0.1", 2)).start();
    try {
      const lines = readFileSync(authority.path, "utf8").replaceAll("\n", "\r\n");
      const forms: [string, Uint8Array][] = [
        ["a byte order mark", Buffer.from(`\ufeff${lines}`)],
        ["UTF-16", Buffer.from(`\ufeff${lines}`, "utf16le")],
        ["text around it", Buffer.from(`subject=/CN=test\r\n\r\n${lines}\r\n`)],
        ["two of them", Buffer.from(lines + lines)],
      ];
      for (const [form, bytes] of forms) {
        writeFileSync(authority.path, bytes);
        const client = openRegistry({
          endpoint: parseEndpoint(`https://${registry.host}`),
          ca: authority.path,
        }, { timing: new FakeTiming(), policy: () => {} });
        await client.ping().catch((error) => assert.fail(`${form}: ${error}`));
        client.close();
      }
      assert.equal(registry.log.length, forms.length);
    } finally {
      await registry.stop();
      authority.remove();
    }
  }),
);

Deno.test(requiring(["openssl"], "an unusable CA file is reported with its content", () => {
  const authority = new Authority();
  try {
    const pem = readFileSync(authority.path, "utf8");
    const der = Buffer.from(pem.replace(/-----[^\n]*\n/g, ""), "base64");
    const files: [Uint8Array, RegExp][] = [
      [Buffer.from(""), /: it is empty$/],
      [Buffer.from("\ufeff\r\n"), /: it is empty$/],
      [der, /: it is DER, not PEM$/],
      [readFileSync(`${authority.dir}/ca.key`), /: it holds a private key$/],
      [Buffer.from(pem.slice(0, -30)), /: there is no certificate in it$/],
      [Buffer.from(pem + pem.replace(/MII/, "MIJ")), /: certificate 2 of 2 in it is damaged$/],
      [
        Buffer.from(pem.replace(/\n(.{10}).{8}/, "\n$1!")),
        /: certificate 1 of 1 in it is damaged$/,
      ],
    ];
    for (const [bytes, message] of files) {
      writeFileSync(authority.path, bytes);
      assert.throws(() => authorities(authority.path), (error) => {
        assert(error instanceof StellaError && error.kind === "config");
        assert.match(error.message, message);
        assert.match(error.hint!, /openssl x509 -inform der/);
        return true;
      });
    }
  } finally {
    authority.remove();
  }
}));
