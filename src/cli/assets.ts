/** `stella assets`: what the binary carries, listed or written out. */
import { mkdirSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { ioError } from "../errors.ts";
import { type Asset, assets } from "../assets/assets.ts";
import { sha256 } from "../bundle/hash.ts";
import type { Host } from "./host.ts";
import type { CommonOptions, Result } from "./program.ts";
import { counted } from "./render.ts";

export async function listCommand(): Promise<Result> {
  const list = assets().map(({ path, bytes, kind }) => ({
    path,
    kind,
    size: bytes.length,
    sha256: sha256(bytes),
  }));
  const lines = list.map((one) => `${one.sha256}  ${String(one.size).padStart(7)}  ${one.path}\n`);
  return await Promise.resolve({
    code: 0,
    json: { ok: true, code: 0, assets: list },
    text: lines.join(""),
  });
}

export async function writeCommand(
  options: CommonOptions & { only?: "systemd" | "dashboards" },
  _host: Host,
  args: string[],
): Promise<Result> {
  const directory = args[0]!;
  const chosen = options.only === undefined
    ? assets()
    : assets().filter(({ path }) => path.startsWith(`${options.only}/`));
  // One kind alone goes right into the directory, as /etc/systemd/system wants it.
  const target = ({ path }: Asset) =>
    join(directory, options.only === undefined ? path : basename(path));
  for (const asset of chosen) write(target(asset), asset.bytes);
  const files = chosen.map(target);
  return await Promise.resolve({
    code: 0,
    json: { ok: true, code: 0, files },
    text: `wrote ${counted(files.length, "file")}\n${files.map((file) => `  ${file}\n`).join("")}`,
  });
}

function write(path: string, bytes: Uint8Array): void {
  try {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, bytes, { mode: 0o644 });
  } catch (error) {
    throw ioError("Cannot write", path, error);
  }
}
