/** What a service is started with. */
import type { Config } from "../config/load.ts";
import type { Listen } from "../config/listen.ts";
import type { AttestationProbe } from "../http/checks.ts";
import type { TlsFiles } from "../http/http_server.ts";

/** The key that every export is signed with. It is made here and not in a worker: two of them would make two. */
export interface SigningKey {
  path: string;
  /** Its keyid; undefined where it is not there. @throws StellaError usage where it cannot be used */
  find(): string | undefined;
  /** @returns its keyid */
  make(): string;
  /** Its public half, as PEM; undefined where it is not there. @throws StellaError usage */
  publicPem(): string | undefined;
}

export interface ServiceOptions {
  config: Config;
  /** Where it was read, and the digest of what was; absent where there is no file. */
  configuration?: { path: string; sha256: string } | undefined;
  /** The state directory; made where it is missing. */
  state: string;
  listen: Listen;
  /** Where operations are served besides, without tokens and without anything that changes. */
  opsListen?: Listen | undefined;
  /** Reads certificate and key; at the start, and when they were renewed. @throws StellaError usage */
  tls?: (() => TlsFiles) | undefined;
  /** The module that answers exports in a worker: the program's main module. */
  mainUrl: string;
  /** Verifies a good envelope and its tampered twin; see `attestationVerify`. */
  attestation(): Promise<AttestationProbe>;
  signingKey: SigningKey;
  environment(name: string): string | undefined;
  /** Where the log goes; takes some of the bytes and says how many. */
  write(bytes: Uint8Array): Promise<number>;
  /** Milliseconds since 1970. */
  now(): number;
  /** Milliseconds that only ever grow. */
  elapsed(): number;
  random(bytes: Uint8Array): Uint8Array;
  /** Milliseconds that a job stays leased without a sign of life; job_queue.ts says how many are usual. */
  lease?: number;
  /** Milliseconds that a running export gets to end when the service stops; systemd kills after 90 s. */
  drain?: number;
}

/** What has to be done to stop, last thing first. */
export type Cleanup = (() => void | Promise<void>)[];
