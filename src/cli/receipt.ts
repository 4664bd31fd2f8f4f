/**
 * `--receipt FILE`: the file is created before the program gives up writing, and filled through the
 * open handle. An existing one is refused: a receipt is not written over.
 */
import { closeSync, fchmodSync, fsyncSync, openSync } from "node:fs";
import { dirname } from "node:path";
import { StellaError } from "../domain/errors.ts";
import { errnoOf, ioError, tryIo } from "../domain/io_errors.ts";
import { loadSigner } from "../attest/sign/keys.ts";
import { attest } from "../attest/sign/signer.ts";
import { syncDirectory, writeAll } from "../domain/durable.ts";
import { shown } from "../domain/names.ts";
import type { BundleSource } from "../bundle/source.ts";
import { encodeReceipt, type ReceiptFacts, watchProofs } from "../verify/receipt.ts";
import type { Verdict } from "../verify/verdict.ts";
import { build } from "../domain/version.ts";
import type { Host } from "./host.ts";
import type { ReceiptFlags, TrustFlags } from "./options.ts";

export interface Receipt {
  /** The source to verify in place of the given one. */
  watch(source: BundleSource): BundleSource;
  /** Fills the file. Only the first call counts. @throws StellaError io */
  end(outcome: Verdict | StellaError, loaded?: ReceiptFacts["loaded"]): void;
}

/** Undefined without --receipt. To be called before permissions are dropped. @throws StellaError */
export function openReceipt(flags: ReceiptFlags & TrustFlags, host: Host): Receipt | undefined {
  const { receipt: path, receiptKey, keyPassphraseFile } = flags;
  if (path === undefined) {
    if (receiptKey === undefined) return undefined;
    throw new StellaError("options_conflict", "Cannot sign a receipt: no --receipt FILE was named");
  }
  const signer = receiptKey === undefined ? undefined : loadSigner(receiptKey, keyPassphraseFile);
  const fd = create(path);
  let digests = () => new Map<string, string>();
  let isOpen = true;
  const end: Receipt["end"] = (outcome, loaded) => {
    if (!isOpen) return;
    isOpen = false;
    const statement = encodeReceipt({
      digests: digests(),
      outcome,
      loaded,
      time: new Date(host.now()).toISOString(),
      build: build(),
      integrityOnly: flags.integrityOnly === true,
      trustFromMedia: flags.trustFromMedia === true,
    });
    if (statement === undefined) host.stderr(emptyText(path));
    const bytes = statement &&
      (signer === undefined ? lineOf(statement) : attest(statement, signer));
    fill(path, fd, bytes ?? new Uint8Array());
  };
  return {
    watch: (source) => {
      const watched = watchProofs(source);
      digests = watched.digests;
      return watched.source;
    },
    end,
  };
}

function create(path: string): number {
  try {
    const fd = openSync(path, "wx", 0o644);
    fchmodSync(fd, 0o644);
    syncDirectory(dirname(path));
    return fd;
  } catch (error) {
    if (errnoOf(error) !== "EEXIST") {
      throw ioError("Cannot write the receipt", path, error);
    }
    const what = `Cannot write the receipt ${shown(path)}: the file exists`;
    throw new StellaError("output_exists", what, {
      hint: "name a new file: receipts are never overwritten",
    });
  }
}

function fill(path: string, fd: number, bytes: Uint8Array): void {
  try {
    tryIo("Cannot write the receipt", path, () => {
      writeAll(fd, bytes);
      fsyncSync(fd);
    });
  } finally {
    closeSync(fd);
  }
}

function lineOf(statement: Uint8Array): Uint8Array {
  const line = new Uint8Array(statement.length + 1);
  line.set(statement);
  line[statement.length] = 10;
  return line;
}

/** It can no longer be removed. */
function emptyText(path: string): string {
  return `note:  the receipt ${shown(path)} stays empty: there was no manifest to make it about\n`;
}
