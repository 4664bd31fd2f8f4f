/**
 * Bundles made by an earlier build still verify, and the same inputs still give the same bytes.
 *
 * tests/fixtures/golden was written by version 0.1.0 (commit 85ac8e4) from tests/fixtures/sample
 * with SOURCE_DATE_EPOCH=1767225600; `volumes` holds one file of 9 MiB of zeros, its volumes and
 * the stream of the service (`GET /v1/exports/ID/bundle.tar`) are stored with gzip.
 */
import assert from "node:assert/strict";
import { cpSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { root, withHome } from "../support/program.ts";

const golden = join(root, "tests/fixtures/golden");
const epoch = { SOURCE_DATE_EPOCH: "1767225600" };

/** Copies one golden bundle to `to`, volumes unpacked. */
function copyBundle(name: string, to: string): void {
  cpSync(join(golden, name), to, { recursive: true });
  for (const file of readdirSync(to).filter((file) => file.endsWith(".gz"))) {
    const bytes = gunzipSync(readFileSync(join(to, file)));
    Deno.removeSync(join(to, file));
    writeFileSync(join(to, file.slice(0, -".gz".length)), bytes);
  }
}

const trusted: Record<string, string> = {
  plain: "ed25519.pub",
  zstd: "ed25519.pub",
  directory: "p256.pub",
  hmac: "ed25519.pub",
  volumes: "ed25519.pub",
};

for (const [name, key] of Object.entries(trusted)) {
  Deno.test(`the ${name} bundle of an earlier build verifies and unpacks`, () =>
    withHome(async (home) => {
      const bundle = join(home.path, name);
      copyBundle(name, bundle);
      const trust = ["--trust", join(golden, key)];
      await home.succeed(["verify", bundle, ...trust]);
      const unpack = ["export", "bundle", "unpack", "--manifest", bundle, ...trust];
      await home.succeed([...unpack, "--to", join(home.path, "out")]);
    }));
}

Deno.test("the HMAC signature of an earlier build verifies with the shared secret", () =>
  withHome(async (home) => {
    const shared = join(home.path, "shared.key");
    writeFileSync(shared, readFileSync(join(golden, "shared.key")), { mode: 0o600 });
    await home.succeed(["verify", join(golden, "hmac"), "--secret", shared]);
  }));

Deno.test("the stream of an earlier build's service verifies from standard input", () =>
  withHome(async (home) => {
    const stdin = gunzipSync(readFileSync(join(golden, "stream.tar.gz")));
    await home.succeed(["verify", "-", "--trust", join(golden, "stream.pub")], { stdin });
  }));

for (const [name, flag] of [["plain", "none"], ["zstd", "zstd"]] as const) {
  Deno.test(`the same inputs reproduce the archive and index of the ${name} bundle byte for byte`, () =>
    withHome(async (home) => {
      const input = join(root, "tests/fixtures/sample");
      const out = join(home.path, "out");
      const words = ["--profile", "golden", "--input", input, "--compression", flag];
      const manifest = ["--manifest", join(out, "manifest.json")];
      await home.succeed(["export", "bundle", ...words, ...manifest], { env: epoch });
      const archive = name === "plain" ? "golden.tar" : "golden.tar.zst";
      for (const file of ["SHA256SUMS", archive]) {
        assert.deepEqual(
          readFileSync(join(out, file)),
          readFileSync(join(golden, name, file)),
          file,
        );
      }
    }));
}
