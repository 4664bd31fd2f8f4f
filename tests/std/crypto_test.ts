/** The stand-in for @std/crypto, against digests that are published with the algorithms. */
import assert from "node:assert/strict";
import {
  crypto,
  DIGEST_ALGORITHM_NAMES,
  type DigestAlgorithmName,
  timingSafeEqual,
} from "@std/crypto";

/** The digest of `abc`: FIPS 180-4 and 202 examples, RFC 1321, RFC 7693, the RIPEMD-160 page. */
const ofAbc: Record<DigestAlgorithmName, string> = {
  "BLAKE2B":
    "ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d17d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923",
  "BLAKE2S": "508c5e8c327c14e2e1a72ba34eeb452f37458b209ed63a294d999b4c86675982",
  "SHA-384":
    "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7",
  "SHA3-224": "e642824c3f8cf24ad09234ee7d3c766fc9a3a5168d0c94ad73b46fdf",
  "SHA3-256": "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532",
  "SHA3-384":
    "ec01498288516fc926459f58e2c6ad8df9b473cb0fc08c2596da7cf0e49be4b298d88cea927ac7f539f1edf228376d25",
  "SHA3-512":
    "b751850b1a57168a5693cd924b6b096e08f621827444f70d884f5d0240d2712e10e116e9192af3c91a7ec57647e3934057340b4cf408d5a56592f8274eec53f0",
  "RIPEMD-160": "8eb208f7e05d987a9b044a8e98c6b087f15a0bfc",
  "SHA-224": "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7",
  "SHA-256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
  "SHA-512":
    "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
  "MD5": "900150983cd24fb0d6963f7d28e17f72",
  "SHA-1": "a9993e364706816aba3e25717850c26c9cd0d89d",
};

const abc = new TextEncoder().encode("abc");
const pieces = [abc.subarray(0, 1), abc.buffer.slice(1, 2), new DataView(abc.buffer, 2)];
const hex = (digest: ArrayBuffer) => new Uint8Array(digest).toHex();

Deno.test("every algorithm gives its published digest, at once, in pieces and from a stream", async () => {
  for (const name of DIGEST_ALGORITHM_NAMES) {
    assert.equal(hex(crypto.subtle.digestSync(name, abc)), ofAbc[name], name);
    assert.equal(hex(crypto.subtle.digestSync(name, pieces)), ofAbc[name], name);
    assert.equal(
      hex(await crypto.subtle.digest({ name }, ReadableStream.from(pieces))),
      ofAbc[name],
    );
  }
});

Deno.test("names are found in any case, and an unknown one is refused by name", async () => {
  assert.equal(hex(crypto.subtle.digestSync("sha-256" as "SHA-256", abc)), ofAbc["SHA-256"]);
  await assert.rejects(crypto.subtle.digest("TIGER" as "MD5", abc), /no algorithm TIGER/);
});

Deno.test("a length other than the algorithm's is refused", () => {
  const digest = (length: number) => crypto.subtle.digestSync({ name: "SHA-256", length }, abc);
  assert.equal(hex(digest(32)), ofAbc["SHA-256"]);
  assert.throws(() => digest(16), TypeError);
  for (const length of [-1, 0.5, 2 ** 31]) assert.throws(() => digest(length), RangeError);
});

Deno.test("data that are no buffers are refused", () => {
  assert.throws(() => crypto.subtle.digestSync("MD5", ["abc"] as never), /neither ArrayBuffer/);
});

Deno.test("the rest of Web Crypto works through it", async () => {
  const key = await crypto.subtle.generateKey({ name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  assert.equal((await crypto.subtle.sign("HMAC", key, abc)).byteLength, 32);
  assert.match(crypto.randomUUID(), /^[0-9a-f-]{36}$/);
  assert.equal(crypto.getRandomValues(new Uint8Array(4)).length, 4);
});

Deno.test("timingSafeEqual compares bytes whatever holds them", () => {
  const copy = new Uint8Array([0, ...abc]);
  assert.ok(timingSafeEqual(abc, new DataView(copy.buffer, 1)));
  assert.ok(timingSafeEqual(abc.buffer, new Uint8Array(abc)));
  for (const other of ["abd", "bbc", "ab", "abcd", ""]) {
    assert.equal(timingSafeEqual(abc, new TextEncoder().encode(other)), false, other);
  }
});
