/**
 * What each command needs beside reading, which the program itself is loaded by. All else is given up before the command's own
 * code is loaded (src/cli/spare.ts), and a command without a row does nothing. What reads bundles goes further once it knows whom
 * to trust, and keeps reading alone (src/verify/confine.ts); an export goes further once it knows its profile.
 */

/** A permission that is worth keeping; run, ffi and import are nobody's. */
export type Need = "net" | "write" | "env" | "sys";

/** What a person typed. */
export interface Asked {
  options: Readonly<Record<string, unknown>>;
  args: readonly string[];
}

type Row = readonly Need[] | ((asked: Asked) => readonly Need[]);

export const everything: readonly Need[] = ["net", "write", "env", "sys"];

/** Asks a running service: its address may stand in a variable. */
const client: readonly Need[] = ["net", "env"];

/** Whom to trust follows from variables and from the kind of the file system; a bundle in a registry is read by the network. */
const verifier = ({ options, args }: Asked): readonly Need[] => {
  const place = String(options["manifest"] ?? args[0] ?? "");
  return [
    ...place.startsWith("oci:") ? ["net"] as const : [],
    ...options["receipt"] === undefined ? [] : ["write"] as const,
    "env",
    "sys",
  ];
};

/** By the whole name of the command. `version` says what there is, so it gives nothing up. */
export const neededBy: Readonly<Record<string, Row>> = {
  "assets list": [],
  "assets write": ["write"],
  "config check": ["env"],
  "config schema": [],
  "config show": ["env"],
  "export bundle": ({ options }) =>
    options["server"] === undefined || options["manifest"] !== undefined ? everything : client,
  "export bundle diff": [],
  "export bundle list": ["env", "sys"],
  "export bundle pull": everything,
  "export bundle push": everything,
  "export bundle show": ["env", "sys"],
  "export bundle unpack": ["write", "env", "sys"],
  "export bundle verify": verifier,
  "health": client,
  "jobs cancel": client,
  "jobs list": client,
  "jobs purge": client,
  "jobs retry": client,
  "jobs show": client,
  "keys generate": ["write", "env", "sys"],
  "keys show": ({ options }) => options["server"] === undefined ? ["env"] : client,
  "keys trust": ["write", "env"],
  "pull": everything,
  "risk query": ["env", "sys"],
  "serve": everything,
  "spans": ["net", "write", "env"],
  "status": client,
  "timeline": client,
  "verify": verifier,
  "version": everything,
};

/** Undefined where the command has no row. */
export function neededFor(command: string, asked: Asked): readonly Need[] | undefined {
  const row = Object.hasOwn(neededBy, command) ? neededBy[command] : undefined;
  return typeof row === "function" ? row(asked) : row;
}
