/**
 * A payload that lies as files under `payload/`: every path of the index is opened and hashed, then the files that are there are
 * counted; only if there are more than the index lists are their names compared.
 */
import { hash } from "node:crypto";
import type { Finding } from "../errors.ts";
import { startSha256 } from "../bundle/hash.ts";
import { IndexFault } from "../bundle/index_file.ts";
import type { BundleSource, ByteReader } from "../bundle/source.ts";
import { digestDiffers, Findings } from "./findings.ts";
import { openFile, type Progress } from "./files.ts";
import type { IndexReader } from "./index_reader.ts";
import { indexFinding, type Merged } from "./merge.ts";

export const payloadFolder = "payload";

export async function checkDirectory(
  source: BundleSource,
  index: IndexReader,
  progress: Progress,
): Promise<Merged> {
  const check = new DirectoryCheck(source, index, progress);
  try {
    await check.run();
  } catch (error) {
    if (!(error instanceof IndexFault)) throw error;
    check.findings.add(indexFinding(error));
  }
  return { files: check.files, bytes: check.bytes, findings: check.findings.all() };
}

class DirectoryCheck {
  files = 0;
  bytes = 0;
  readonly findings = new Findings();
  readonly #buffer = new Uint8Array(1024 * 1024);

  constructor(
    readonly source: BundleSource,
    readonly index: IndexReader,
    readonly progress: Progress,
  ) {}

  async run(): Promise<void> {
    const listed = new Set<string>();
    for (let e = await this.index.peek(); e !== undefined; e = await this.index.peek()) {
      listed.add(e.path);
      await this.#file(e.path, e.sha256);
      this.index.take();
    }
    await this.#extras(listed);
  }

  async #file(path: string, expected: string): Promise<void> {
    const full = `${payloadFolder}/${path}`;
    const reader = await openFile(this.source, { path: full }, this.findings);
    if (reader === undefined) return;
    const { digest, size } = await this.#digest(reader);
    reader.close();
    if (digest !== expected) return this.findings.add(digestDiffers(full, expected, digest));
    this.files++;
    this.bytes += size;
  }

  async #digest(reader: ByteReader): Promise<{ digest: string; size: number }> {
    let n = await reader.read(this.#buffer);
    this.progress(n);
    if (n < this.#buffer.length) {
      return { digest: hash("sha256", this.#buffer.subarray(0, n), "hex"), size: n };
    }
    const running = startSha256();
    let size = 0;
    while (n > 0) {
      running.update(this.#buffer.subarray(0, n));
      size += n;
      n = await reader.read(this.#buffer);
      this.progress(n);
    }
    return { digest: running.digest("hex"), size };
  }

  async #extras(listed: Set<string>): Promise<void> {
    if (this.source.walk === undefined) return;
    for await (const { path, fault } of this.source.walk(payloadFolder)) {
      if (fault !== undefined) this.findings.add(notAFile(path, fault));
      else if (!listed.has(path.slice(payloadFolder.length + 1))) this.findings.add(extra(path));
    }
  }
}

function notAFile(path: string, fault: string): Finding {
  return {
    code: "unsafe",
    reason: "unsafe_entry",
    path,
    found: `it is ${fault}`,
    hint: "a bundle holds regular files only: remove it",
  };
}

function extra(path: string): Finding {
  return {
    code: "unexpected",
    reason: "entry_unexpected",
    path,
    found: "the index does not list it",
    hint: "somebody put it there after the export: remove it",
  };
}
