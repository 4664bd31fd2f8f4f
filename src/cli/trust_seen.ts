/** `stella trust seen`: what `unpack` has remembered, and a way to enter it again. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { parseSeen, type Seen, seenDirectory, seenFile } from "../attest/trust/seen.ts";
import { requireStateDirectory } from "../config/paths.ts";
import { errnoOf, ioError } from "../domain/io_errors.ts";
import { escaped } from "../domain/names.ts";
import { readStateFile } from "../output/state_file.ts";
import type { Result } from "./command.ts";
import type { Host } from "./host.ts";
import { receiptAt, recordSeen } from "./seen.ts";

export async function showSeen(
  { receipt }: { readonly receipt: readonly string[] },
  host: Host,
): Promise<Result> {
  const state = requireStateDirectory(host.environment);
  for (const received of receipt.map((path) => receiptAt(path))) {
    // An older receipt changes nothing, so its order does not matter.
    await recordSeen(received, received.bundle.sequence, state, host);
  }
  const seen = allSeen(state).flatMap(({ signer, seen }) =>
    seen.map((one) => ({ signer, ...one }))
  );
  const lines = seen.map(({ profile, tenant, sequence, created, state, signer }) =>
    `${profile}  ${tenant}  sequence ${sequence}  ${created}  state ${
      state.slice(0, 16)
    }  ${signer}`
  );
  return {
    json: { seen, findings: [] },
    text: lines.length === 0
      ? "no bundle was seen here\n"
      : lines.map((line) => `${escaped(line)}\n`).join(""),
  };
}

function allSeen(state: string): Seen[] {
  const directory = seenDirectory(state);
  return namesIn(directory).toSorted().flatMap((name) => {
    const path = join(directory, name, seenFile);
    const bytes = readStateFile(path);
    return bytes === undefined ? [] : [parseSeen(bytes, path)];
  });
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return [];
    throw ioError("Cannot list", directory, error);
  }
}
