import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { StellaError } from "../../src/domain/errors.ts";
import { keysAt, keysInDirectory, readPublicKey } from "../../src/attest/check/trust.ts";
import { isOnRemovableMedia } from "../../src/attest/sign/keys.ts";
import { testKey, withDirectory, writeFiles } from "../support/bundle_fixture.ts";

function assertUsage(run: () => unknown, reason: RegExp): void {
  assert.throws(run, (error) => {
    assert.ok(error instanceof StellaError, String(error));
    assert.equal(error.kind, "config");
    assert.match(error.message, reason);
    return true;
  });
}

Deno.test("public keys are Ed25519 or P-256 in SPKI PEM, with any surrounding white space", async () => {
  await withDirectory((root) => {
    for (const algorithm of ["ed25519", "p256"] as const) {
      const key = testKey("signer", algorithm);
      const path = join(root, "signer.pub");
      for (
        const pem of [key.publicPem, `\n${key.publicPem}\n`, key.publicPem.replaceAll("\n", "\r\n")]
      ) {
        writeFileSync(path, pem);
        const { keyid, name, algorithm: found } = readPublicKey(path);
        assert.deepEqual([keyid, name, found], [key.trusted.keyid, "signer", algorithm]);
      }
    }
  });
});

Deno.test("any other file is refused as a public key, and the error names it", async () => {
  await withDirectory((root) => {
    const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 }).publicKey;
    const p384 = generateKeyPairSync("ec", { namedCurve: "P-384" }).publicKey;
    const x25519 = generateKeyPairSync("x25519").publicKey;
    const spki = { type: "spki", format: "pem" } as const;
    const key = testKey();
    const files: [string, string, RegExp][] = [
      ["nothing", "", /no PEM block PUBLIC KEY in it/],
      ["text", "hello", /no PEM block PUBLIC KEY in it/],
      ["private", key.privatePem, /no PEM block PUBLIC KEY in it/],
      [
        "certificate",
        key.publicPem.replaceAll("PUBLIC KEY", "CERTIFICATE"),
        /no PEM block PUBLIC KEY in it/,
      ],
      [
        "pkcs1",
        rsa.export({ type: "pkcs1", format: "pem" }) as string,
        /no PEM block PUBLIC KEY in it/,
      ],
      ["garbage", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", /Cannot use/],
      ["cut", key.publicPem.slice(0, 40), /Cannot use/],
      ["rsa", rsa.export(spki) as string, /its type is rsa/],
      ["p384", p384.export(spki) as string, /its type is ec/],
      ["x25519", x25519.export(spki) as string, /its type is x25519/],
    ];
    for (const [name, pem, reason] of files) {
      const path = join(root, `${name}.pub`);
      writeFileSync(path, pem);
      assertUsage(() => readPublicKey(path), reason);
      assertUsage(() => readPublicKey(path), new RegExp(`${name}.pub`));
    }
    assert.throws(() => readPublicKey(join(root, "none.pub")), {
      kind: "io",
      message: /Cannot read the public key .*none\.pub": no such file/,
    });
  });
});

Deno.test("a trust directory yields only its *.pub files, sorted by name", async () => {
  await withDirectory((root) => {
    const [a, b] = [testKey("a"), testKey("b", "p256")];
    writeFiles(root, {
      "b.pub": b.publicPem,
      "a.pub": a.publicPem,
      "a.key": "secret",
      "README": "x",
    });
    assert.deepEqual(keysInDirectory(root).map((key) => key.name), ["a", "b"]);
    assert.deepEqual(keysAt(root).map((key) => key.keyid), [a.trusted.keyid, b.trusted.keyid]);
    assert.deepEqual(keysAt(join(root, "b.pub")).map((key) => key.keyid), [b.trusted.keyid]);
    assert.deepEqual(keysInDirectory(join(root, "none")), []);
    assert.deepEqual(keysInDirectory(join(root, "README")), []);
    writeFileSync(join(root, "c.pub"), "garbage");
    assertUsage(() => keysInDirectory(root), /c\.pub/);
  });
});

Deno.test("a trust directory that cannot be listed is an io error, and a missing one is empty", async () => {
  await withDirectory((root) => {
    symlinkSync("circle", join(root, "circle"));
    assert.throws(() => keysInDirectory(join(root, "circle")), {
      kind: "io",
      message: /Cannot list the trusted keys in .*too many levels/,
    });
    assert.deepEqual(keysInDirectory(join(root, "none")), []);
  });
});

Deno.test("--trust is refused if the path has no key", async () => {
  await withDirectory((root) => {
    assert.throws(() => keysAt(root), {
      kind: "usage",
      message: /no \*\.pub file/,
      hint: /^name /,
    });
    assert.throws(() => keysAt(join(root, "none")), {
      kind: "io",
      message: /Cannot read the trusted key .*none": no such file/,
    });
  });
});

Deno.test("a directory on this machine's disk does not count as removable media", async () => {
  await withDirectory((root) => {
    mkdirSync(join(root, "d"));
    assert.equal(isOnRemovableMedia(join(root, "d")), false);
    assert.equal(isOnRemovableMedia("/proc"), false);
  });
});
