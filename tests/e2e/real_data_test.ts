/**
 * Real public data through the whole way out and back: advisories, KEV, CSAF/VEX and SBOMs, where
 * they lie beside the checkout. Both check lines of the README, GNU tar, openssl and
 * @sigstore/verify verify the bundle; then 1,000 flipped bits must be refused.
 */
import assert from "node:assert/strict";
import { createPublicKey } from "node:crypto";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { bundleFromJSON } from "@sigstore/bundle";
import { toSignedEntity, Verifier } from "@sigstore/verify";
import { keysAt } from "../../src/attest/check/trust.ts";
import { directorySource } from "../../src/bundle/source.ts";
import { verifyBundle } from "../../src/verify/verify.ts";
import { StellaError } from "../../src/domain/errors.ts";
import { requiring } from "../support/needs.ts";
import { Home, root } from "../support/program.ts";

const data = join(root, "../shared/data");
const folders = ["osv-go", "kev", "csaf-vex", "sbom"];

function realTest(
  tools: string[],
  name: string,
  body: (out: string, home: Home) => Promise<void>,
): void {
  const others = { "the real data": existsSync(data) };
  Deno.test(requiring({ tools, others }, name, async () => {
    const home = new Home();
    try {
      const inputs = folders.flatMap((folder) => ["--input", `${folder}=${join(data, folder)}`]);
      await home.succeed([
        "export",
        "bundle",
        "--profile",
        "advisories",
        ...inputs,
        "--manifest",
        "out/manifest.json",
      ]);
      await body(join(home.path, "out"), home);
    } finally {
      home.remove();
    }
  }));
}

async function sh(command: string, cwd: string, env: Record<string, string> = {}): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command("sh", {
    args: ["-ec", command],
    cwd,
    env,
  }).output();
  const text = new TextDecoder();
  assert.equal(code, 0, `${command}\n${text.decode(stdout).slice(-2000)}${text.decode(stderr)}`);
  return text.decode(stdout);
}

realTest([], "real data: stella verifies every file", async (out, home) => {
  const files = folders.reduce((sum, folder) => sum + readdirSync(join(data, folder)).length, 0);
  const ran = await home.json(["verify", "out"]);
  assert.deepEqual([ran.exit, ran.filesVerified, ran.bundle.files], [0, files, files]);
  assert.ok(statSync(out).isDirectory());
});

realTest(
  ["jq", "sha256sum", "tar", "zstd"],
  "real data: jq, sha256sum and GNU tar agree",
  async (out) => {
    await sh(
      `jq -r '.files[] | "\\(.sha256)  \\(.path)"' manifest.json | sha256sum -c --strict`,
      out,
    );
    await sh("mkdir ../unpacked && tar --zstd -xf advisories.tar.zst -C ../unpacked", out);
    await sh("sha256sum -c --strict --quiet ../out/SHA256SUMS", join(out, "../unpacked"));
    const listed = await sh("find . -type f | wc -l", join(out, "../unpacked"));
    assert.equal(
      Number(listed),
      JSON.parse(readFileSync(join(out, "manifest.json"), "utf8")).payload.files,
    );
  },
);

realTest(
  ["jq", "openssl", "sha256sum"],
  "real data: openssl accepts the attestation, by verify.sh and by hand",
  async (out, home) => {
    const key = join(home.state, "keys/signing.pub");
    assert.match(await sh(`sh verify.sh ${key} .`, out), /^GOOD: advisories/);
    const byHand = `
    B=manifest.json.sigstore.json
    jq -r .dsseEnvelope.payload $B | base64 -d >../p
    jq -r '.dsseEnvelope.signatures[0].sig' $B | base64 -d >../s
    { printf 'DSSEv1 28 application/vnd.in-toto+json %d ' $(wc -c <../p); cat ../p; } >../pae
    openssl pkeyutl -verify -pubin -inkey ${key} -rawin -in ../pae -sigfile ../s`;
    assert.match(await sh(byHand, out), /Signature Verified Successfully/);
  },
);

realTest([], "real data: @sigstore/verify accepts the attestation", async (out, home) => {
  await Promise.resolve();
  const key = createPublicKey(readFileSync(join(home.state, "keys/signing.pub")));
  const bundle = bundleFromJSON(
    JSON.parse(readFileSync(join(out, "manifest.json.sigstore.json"), "utf8")),
  );
  const material = {
    certificateAuthorities: [],
    timestampAuthorities: [],
    tlogs: [],
    ctlogs: [],
    publicKey: () => ({ publicKey: key, validFor: () => true }),
  };
  const verifier = new Verifier(material, { tlogThreshold: 0, ctlogThreshold: 0, tsaThreshold: 0 });
  verifier.verify(toSignedEntity(bundle));
});

realTest(
  [],
  "real data: each of 1,000 random bit flips is refused",
  async (out, home) => {
    const trusted = keysAt(join(home.state, "keys/signing.pub"));
    const files = readdirSync(out).map((name) => ({ name, size: statSync(join(out, name)).size }));
    const random = sequence(20261124);
    const accepted: string[] = [];
    for (let i = 0; i < 1000; i++) {
      const { name, size } = files[i % files.length]!;
      const [at, bit] = [Math.floor(random() * size), Math.floor(random() * 8)];
      const path = join(out, name);
      flip(path, at, bit);
      if (await isAccepted(out, trusted)) accepted.push(`${name} byte ${at} bit ${bit}`);
      flip(path, at, bit);
    }
    assert.deepEqual(accepted, []);
    assert.ok(await isAccepted(out, trusted), "the bundle is as it was again");
  },
);

async function isAccepted(out: string, trusted: ReturnType<typeof keysAt>): Promise<boolean> {
  try {
    return (await verifyBundle(directorySource(out), { trusted })).ok;
  } catch (error) {
    // A manifest that cannot be read is refused by an error of its own.
    if (error instanceof StellaError && error.kind === "manifest") return false;
    throw error;
  }
}

function flip(path: string, at: number, bit: number): void {
  const file = Deno.openSync(path, { read: true, write: true });
  const byte = new Uint8Array(1);
  file.seekSync(at, Deno.SeekMode.Start);
  file.readSync(byte);
  byte[0]! ^= 1 << bit;
  file.seekSync(at, Deno.SeekMode.Start);
  file.writeSync(byte);
  file.close();
}

/** Random numbers that are the same in every run (mulberry32). */
function sequence(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
