/**
 * Keys encrypted with a passphrase: stella and OpenSSL read each other's keys, and error messages
 * do not reveal the secret.
 */
import assert from "node:assert/strict";
import { createPrivateKey, createPublicKey, generateKeyPairSync } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { StellaError } from "../../src/domain/errors.ts";
import { keyidOf } from "../../src/attest/dsse.ts";
import { readPassphrase } from "../../src/attest/sign/encrypted_key.ts";
import { generateKey, loadSigner, publicOf } from "../../src/attest/sign/keys.ts";
import { withDirectory } from "../support/bundle_fixture.ts";
import { requiring } from "../support/needs.ts";

const { privateKey } = generateKeyPairSync("ed25519");
const phrase = "corr\u00e9ct horse";
/** 2,048 rounds: quick to open. */
const protectedPem = privateKey.export({
  type: "pkcs8",
  format: "pem",
  cipher: "aes-256-cbc",
  passphrase: phrase,
}) as string;

function usage(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof StellaError && error.kind === "config") {
      const printed = `${error.message} ${error.hint}`;
      assert.doesNotMatch(printed, /horse|battery/);
      return printed;
    }
    throw error;
  }
  throw new Error("it was not refused");
}

Deno.test("a key created with a passphrase has mode 0600 and opens only with that passphrase", async () => {
  await withDirectory((root) => {
    const [path, file] = [join(root, "k.key"), join(root, "phrase")];
    writeFileSync(file, `${phrase}\r\n`, { mode: 0o600 });
    const made = generateKey(path, "p256", file);
    const pem = readFileSync(path, "utf8");
    assert.match(pem, /^-----BEGIN ENCRYPTED PRIVATE KEY-----\n/);
    assert.equal(Deno.statSync(path).mode! & 0o777, 0o600);
    const { keyid, pem: spki } = publicOf(path, file);
    assert.deepEqual([keyid, spki], [made.keyid, readFileSync(made.publicPath, "utf8")]);
    assert.throws(() => createPrivateKey({ key: pem, passphrase: `${phrase} ` }));
  });
});

Deno.test("each passphrase error has its own message", async () => {
  await withDirectory((root) => {
    const file = (name: string, content: string, mode = 0o600) => {
      writeFileSync(join(root, name), content, { mode });
      return join(root, name);
    };
    const key = file("k.key", protectedPem);
    const bare = file("bare.key", privateKey.export({ type: "pkcs8", format: "pem" }) as string);
    const right = file("right", phrase);
    assert.equal(loadSigner(key, right).keyid, keyidOf(createPublicKey(privateKey)));
    const cases: [string, string | undefined, RegExp][] = [
      [key, undefined, /it is protected by a passphrase .*--key-passphrase-file FILE/],
      [key, file("wrong", "battery staple"), /wrong passphrase .*openssl pkcs8 -topk8/],
      [key, file("open", phrase, 0o644), /others can read the file .*chmod 600/],
      [key, file("empty", "\n"), /it is empty/],
      [key, file("lines", `${phrase}\n\n`), /it has more than one line/],
      [key, file("long", "x".repeat(1025)), /it is longer than 1024 characters/],
      [bare, right, /it is not protected by a passphrase, but one was given/],
    ];
    for (const [keyPath, passphrase, message] of cases) {
      assert.match(usage(() => loadSigner(keyPath, passphrase)), message);
    }
    assert.throws(() => loadSigner(key, join(root, "none")), {
      kind: "io",
      message: /Cannot read the passphrase .*none": no such file/,
    });
    assert.equal(readPassphrase(file("spaces", "  two words \n")), "  two words ");
  });
});

async function openssl(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command("openssl", { args }).output();
  assert.equal(code, 0, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout);
}

for (const algorithm of ["ed25519", "p256"] as const) {
  Deno.test(
    requiring(["openssl"], `OpenSSL reads an ${algorithm} key that stella encrypted`, async () => {
      await withDirectory(async (root) => {
        const [path, file] = [join(root, "k.key"), join(root, "phrase")];
        writeFileSync(file, phrase, { mode: 0o600 });
        const { publicPath } = generateKey(path, algorithm, file);
        const spki = readFileSync(publicPath, "utf8");
        assert.equal(
          await openssl("pkey", "-in", path, "-passin", `file:${file}`, "-pubout"),
          spki,
        );
        const parsed = await openssl("asn1parse", "-in", path);
        for (const part of ["PBES2", "PBKDF2", "hmacWithSHA256", "aes-256-cbc", ":04BAF0"]) {
          assert.ok(parsed.includes(part), part);
        }
      });
    }),
  );
}

Deno.test(requiring(["openssl"], "stella reads keys that OpenSSL encrypted", async () => {
  await withDirectory(async (root) => {
    const file = join(root, "phrase");
    writeFileSync(file, phrase, { mode: 0o600 });
    const bare = join(root, "bare.key");
    writeFileSync(bare, privateKey.export({ type: "pkcs8", format: "pem" }), { mode: 0o600 });
    for (const [i, scheme] of [["-v2", "aes-256-cbc"], ["-scrypt"]].entries()) {
      const out = join(root, `${i}.key`);
      await openssl(
        "pkcs8",
        "-topk8",
        ...scheme,
        "-in",
        bare,
        "-passout",
        `file:${file}`,
        "-out",
        out,
      );
      Deno.chmodSync(out, 0o600);
      assert.equal(loadSigner(out, file).keyid, keyidOf(createPublicKey(privateKey)), scheme[0]);
    }
  });
}));
