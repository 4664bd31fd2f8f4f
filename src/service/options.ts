/** Options of a service. */
import type { Clocks } from "../domain/time.ts";
import type { Config } from "../config/load.ts";
import type { Listen } from "../config/listen.ts";
import type { AttestationProbe } from "../http/checks.ts";
import type { TlsFiles } from "../http/http_server.ts";

/** The key that signs every export; the service creates it: two workers would create two. */
export interface SigningKey {
  path: string;
  /** Its keyid; undefined if it does not exist. @throws StellaError usage if it cannot be used */
  find(): string | undefined;
  /** @returns its keyid */
  make(): string;
  /** Its public key as PEM; undefined if it does not exist. @throws StellaError usage */
  publicPem(): string | undefined;
}

export interface ServiceOptions extends Clocks {
  config: Config;
  /** Path and digest of the configuration file; absent if there is none. */
  configuration?: { path: string; sha256: string } | undefined;
  /** The state directory; created if missing. */
  state: string;
  listen: Listen;
  /** Additional address for operations, without tokens and read-only. */
  opsListen?: Listen | undefined;
  /** Reads certificate and key; at startup, and after a renewal. @throws StellaError usage */
  tls?: (() => TlsFiles) | undefined;
  /** The main module of the program, which handles exports in a worker. */
  mainUrl: string;
  /** Verifies a known bundle and tampered copies of it; see `attestationVerify`. */
  attestation(): Promise<AttestationProbe>;
  signingKey: SigningKey;
  environment(name: string): string | undefined;
  /** Writes to the log; returns the number of bytes written. */
  write(bytes: Uint8Array): Promise<number>;
  random(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer>;
  /** Milliseconds that a lease lasts without a heartbeat; job_queue.ts has the default. */
  lease?: number;
  /** Milliseconds for running exports to end at shutdown; systemd kills after 90 s. */
  drain?: number;
}

/** Steps of the shutdown, last one first. */
export type Cleanup = (() => void | Promise<void>)[];
