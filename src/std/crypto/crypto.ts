/** WebCrypto with more digests, digests of streams, and `digestSync`. */
import { createHash, type Hash } from "node:crypto";

/** node:crypto's name of each algorithm, and the length of its digest in bytes. */
const algorithms = {
  "BLAKE2B": ["blake2b512", 64],
  "BLAKE2S": ["blake2s256", 32],
  "SHA-384": ["sha384", 48],
  "SHA3-224": ["sha3-224", 28],
  "SHA3-256": ["sha3-256", 32],
  "SHA3-384": ["sha3-384", 48],
  "SHA3-512": ["sha3-512", 64],
  // open to length extension
  "RIPEMD-160": ["ripemd160", 20],
  "SHA-224": ["sha224", 28],
  "SHA-256": ["sha256", 32],
  "SHA-512": ["sha512", 64],
  // broken: collisions are known
  "MD5": ["md5", 16],
  "SHA-1": ["sha1", 20],
} as const;

export type DigestAlgorithmName = keyof typeof algorithms;

export const DIGEST_ALGORITHM_NAMES = Object.keys(algorithms) as readonly DigestAlgorithmName[];

/** `length` is for algorithms of adjustable length; others accept only their own. */
export type DigestAlgorithmObject = { name: DigestAlgorithmName; length?: number };

export type DigestAlgorithm = DigestAlgorithmName | DigestAlgorithmObject;

export interface StdSubtleCrypto extends SubtleCrypto {
  /** The digest of one buffer, or of the buffers of a sequence one after the other. */
  digest(
    algorithm: DigestAlgorithm,
    data: BufferSource | AsyncIterable<BufferSource> | Iterable<BufferSource>,
  ): Promise<ArrayBuffer>;
  /** The same, at once. */
  digestSync(
    algorithm: DigestAlgorithm,
    data: BufferSource | Iterable<BufferSource>,
  ): ArrayBuffer;
}

export interface StdCrypto extends Crypto {
  readonly subtle: StdSubtleCrypto;
}

const web = globalThis.crypto;

/**
 * The Web Crypto API, with `subtle.digest` and `subtle.digestSync` as above. They throw a TypeError for an unknown
 * algorithm, a length that is not the algorithm's, and data that are no buffers; a RangeError for an impossible length.
 */
export const crypto: StdCrypto = {
  getRandomValues: web.getRandomValues.bind(web),
  randomUUID: web.randomUUID.bind(web),
  subtle: { ...boundMethods(web.subtle), digest, digestSync },
};

/** The methods of a WebCrypto object as plain functions: they only work on the object itself. */
function boundMethods(subtle: SubtleCrypto): SubtleCrypto {
  const names = Object.getOwnPropertyNames(Object.getPrototypeOf(subtle)) as (keyof SubtleCrypto)[];
  const methods = names.filter((name) => typeof subtle[name] === "function");
  return Object.fromEntries(
    methods.map((name) => [name, (subtle[name] as () => unknown).bind(subtle)]),
  ) as unknown as SubtleCrypto;
}

async function digest(
  algorithm: DigestAlgorithm,
  data: BufferSource | AsyncIterable<BufferSource> | Iterable<BufferSource>,
): Promise<ArrayBuffer> {
  const hash = hashOf(algorithm);
  if (!isBuffer(data) && Symbol.asyncIterator in data) {
    for await (const chunk of data) hash.update(bytesOf(chunk));
    return resultOf(hash);
  }
  return update(hash, data);
}

function digestSync(
  algorithm: DigestAlgorithm,
  data: BufferSource | Iterable<BufferSource>,
): ArrayBuffer {
  return update(hashOf(algorithm), data);
}

function update(hash: Hash, data: BufferSource | Iterable<BufferSource>): ArrayBuffer {
  for (const chunk of isBuffer(data) ? [data] : data) hash.update(bytesOf(chunk));
  return resultOf(hash);
}

function resultOf(hash: Hash): ArrayBuffer {
  return Uint8Array.from(hash.digest()).buffer;
}

function hashOf(algorithm: DigestAlgorithm): Hash {
  const { name, length } = typeof algorithm === "string"
    ? { name: algorithm, length: undefined }
    : algorithm;
  const known = algorithms[name.toUpperCase() as DigestAlgorithmName];
  if (known === undefined) throw new TypeError(`Cannot digest: there is no algorithm ${name}`);
  assertLength(name, length, known[1]);
  return createHash(known[0]);
}

function assertLength(name: string, length: number | undefined, own: number): void {
  if (length === undefined || length === own) return;
  if (!Number.isInteger(length) || length < 0 || length > 0x7fff_ffff) {
    throw new RangeError(`Cannot digest: the length ${length} is not 0 to 2^31 - 1`);
  }
  throw new TypeError(`Cannot digest: ${name} has ${own} bytes, not ${length}`);
}

function isBuffer(data: unknown): data is BufferSource {
  return data instanceof ArrayBuffer || ArrayBuffer.isView(data);
}

function bytesOf(data: unknown): Uint8Array {
  if (data instanceof ArrayBuffer) return new Uint8Array(data);
  if (ArrayBuffer.isView(data)) {
    return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  }
  throw new TypeError(
    "Cannot digest: a piece of the data is neither ArrayBuffer nor a view of one",
  );
}
