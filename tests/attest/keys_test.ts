import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { chmodSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { StellaError } from "../../src/domain/errors.ts";
import { readPublicKey } from "../../src/attest/check/trust.ts";
import {
  generateKey,
  loadSigner,
  machineKey,
  machineSigner,
  publicOf,
  publicPathOf,
} from "../../src/attest/sign/keys.ts";
import { withDirectory } from "../support/bundle_fixture.ts";

function assertUsage(run: () => unknown, reason: RegExp, code = "config"): void {
  assert.throws(run, (error) => {
    assert.ok(error instanceof StellaError, String(error));
    assert.equal(error.kind, code);
    assert.match(error.message, reason);
    return true;
  });
}

function mode(path: string): number {
  return statSync(path).mode & 0o777;
}

Deno.test("a new key pair has modes 0600 and 0644 in a directory of mode 0700, whatever the umask", async () => {
  for (const umask of [0o000, 0o022, 0o077]) {
    await withDirectory((root) => {
      const before = process.umask(umask);
      try {
        const path = join(root, "state/keys/signing.key");
        const made = generateKey(path, "ed25519");
        assert.deepEqual([made.keyPath, made.publicPath], [path, path.replace(".key", ".pub")]);
        assert.deepEqual([mode(path), mode(made.publicPath)], [0o600, 0o644]);
        assert.equal(mode(join(root, "state/keys")), 0o700);
        assert.deepEqual(readdirSync(join(root, "state/keys")).sort(), [
          "signing.key",
          "signing.pub",
        ]);
      } finally {
        process.umask(before);
      }
    });
  }
});

Deno.test("the two key files of each algorithm match and can sign", async () => {
  for (const algorithm of ["ed25519", "p256"] as const) {
    await withDirectory((root) => {
      const made = generateKey(join(root, "k.key"), algorithm);
      const trusted = readPublicKey(made.publicPath);
      assert.deepEqual([trusted.keyid, trusted.algorithm], [made.keyid, algorithm]);
      assert.equal(loadSigner(made.keyPath).keyid, made.keyid);
      assert.equal(publicOf(made.keyPath).pem, readFileSync(made.publicPath, "utf8"));
      assert.equal(publicOf(made.keyPath).keyid, made.keyid);
    });
  }
});

Deno.test("the machine's key is created once and never with a passphrase", async () => {
  await withDirectory((root) => {
    const path = join(root, "keys/signing.key");
    const service = machineKey(path);
    assert.deepEqual([service.find(), service.publicPem()], [undefined, undefined]);
    assert.throws(() => machineSigner(path, join(root, "phrase")), { reason: "path_missing" });
    const first = machineSigner(path);
    assert.equal(first.made?.keyid, first.signer.keyid);
    const second = machineSigner(path);
    assert.deepEqual([second.made, second.signer.keyid], [undefined, first.signer.keyid]);
    assert.equal(service.find(), first.signer.keyid);
    assert.equal(service.publicPem(), readFileSync(first.made!.publicPath, "utf8"));
    assert.throws(() => service.make(), { reason: "output_exists" });
  });
});

Deno.test("a new key never overwrites a private or public key file", async () => {
  await withDirectory((root) => {
    const path = join(root, "k.key");
    writeFileSync(join(root, "k.pub"), "mine");
    assertUsage(() => generateKey(path, "ed25519"), /k\.pub.*exists/, "conflict");
    assert.deepEqual(readdirSync(root), ["k.pub"], "and none is made beside it");
    generateKey(join(root, "l.key"), "ed25519");
    const before = readFileSync(join(root, "l.key"), "utf8");
    assertUsage(() => generateKey(join(root, "l.key"), "ed25519"), /l\.key.*exists/, "conflict");
    assert.equal(readFileSync(join(root, "l.key"), "utf8"), before);
  });
});

Deno.test("a key that others can read is refused with a hint", async () => {
  await withDirectory((root) => {
    const { keyPath } = generateKey(join(root, "k.key"), "ed25519");
    for (const wide of [0o644, 0o640, 0o604, 0o660, 0o601, 0o666]) {
      chmodSync(keyPath, wide);
      assertUsage(() => loadSigner(keyPath), /others can read the file/);
      assertUsage(() => publicOf(keyPath), /others can read the file/);
    }
    for (const narrow of [0o600, 0o400]) {
      chmodSync(keyPath, narrow);
      loadSigner(keyPath);
    }
  });
});

Deno.test("a file that is not a signing key is refused, and its content is never printed", async () => {
  await withDirectory((root) => {
    const path = join(root, "k.key");
    const pem = (type: "rsa" | "ec") => {
      const { privateKey } = type === "rsa"
        ? generateKeyPairSync("rsa", { modulusLength: 2048 })
        : generateKeyPairSync("ec", { namedCurve: "P-384" });
      return privateKey.export({ type: "pkcs8", format: "pem" }) as string;
    };
    const files: [string, RegExp][] = [
      ["", /not a private key/],
      ["top secret", /not a private key/],
      ["-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n", /not a private key/],
      [pem("rsa"), /its type is rsa/],
      [pem("ec"), /its type is ec/],
    ];
    for (const [content, reason] of files) {
      writeFileSync(path, content, { mode: 0o600 });
      assertUsage(() => loadSigner(path), reason);
      assert.throws(() => loadSigner(path), (error: StellaError) => {
        const line = content.split("\n")[1] ?? (content === "" ? "\0" : content);
        return !`${error.message}${error.hint}`.includes(line);
      });
    }
    assert.throws(() => loadSigner(join(root, "none.key")), {
      kind: "io",
      message: /Cannot read the key .*none\.key": no such file/,
      hint: /stella keys generate/,
    });
  });
});

Deno.test("the public key lies beside the private one", () => {
  assert.equal(publicPathOf("/x/a.key"), "/x/a.pub");
  assert.equal(publicPathOf("/x/a.pem"), "/x/a.pem.pub");
});
