/** Inputs for measurements: the same bytes in every run, made once in a folder and used again. */
import { createCipheriv } from "node:crypto";
import { existsSync, mkdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Bytes that no compressor can shrink: AES-CTR over zeros. */
function noise(seed: number): (length: number) => Uint8Array {
  const cipher = createCipheriv("aes-128-ctr", new Uint8Array(16).fill(seed), new Uint8Array(16));
  return (length) => cipher.update(new Uint8Array(length));
}

/** Makes `name` below `place` if not found, under its name only when it is whole. */
function once(place: string, name: string, fill: (folder: string) => void): string {
  const folder = join(place, name);
  if (existsSync(folder)) return folder;
  const partial = `${folder}.partial`;
  mkdirSync(partial, { recursive: true });
  fill(partial);
  renameSync(partial, folder);
  return folder;
}

/** One file of `mebibytes`. */
export function largeFile(place: string, mebibytes: number): string {
  return once(place, `large-${mebibytes}`, (folder) => {
    fill(join(folder, "large.bin"), mebibytes, noise(1));
  });
}

/** `count` files of `mebibytes` each. */
export function largeFiles(place: string, count: number, mebibytes: number): string {
  return once(place, `large-${count}x${mebibytes}`, (folder) => {
    const random = noise(3);
    for (let i = 0; i < count; i++) fill(join(folder, `${i}.bin`), mebibytes, random);
  });
}

function fill(path: string, mebibytes: number, random: (length: number) => Uint8Array): void {
  using file = Deno.openSync(path, { create: true, write: true });
  for (let i = 0; i < mebibytes; i++) file.writeSync(random(1024 * 1024));
}

/** `count` files of 2 to 12.5 kB, 500 to a folder: 145 MB at 20,000. */
export function smallFiles(place: string, count: number): string {
  return once(place, `small-${count}`, (folder) => {
    const random = noise(2);
    for (let i = 0; i < count; i++) {
      const below = join(folder, `d${String(Math.floor(i / 500)).padStart(4, "0")}`);
      if (i % 500 === 0) mkdirSync(below);
      writeFileSync(
        join(below, `f${String(i).padStart(6, "0")}.json`),
        random(2000 + (i * 7919) % 10_500),
      );
    }
  });
}

const words =
  "remote attacker crafted request memory header parser overflow bypass traversal before version fixed affected"
    .split(" ");

/** Advisories in OSV's form, about 4.5 kB each, until there are `mebibytes` of them. */
export function advisories(place: string, mebibytes: number): string {
  return once(place, `advisories-${mebibytes}`, (folder) => {
    let bytes = 0;
    for (let i = 0; bytes < mebibytes * 1024 * 1024; i++) {
      const below = join(folder, `GEN-${2000 + i % 26}`, String(Math.floor(i / 26_000)));
      if (!existsSync(below)) mkdirSync(below, { recursive: true });
      const text = advisory(i);
      writeFileSync(join(below, `GEN-${i}.json`), text);
      bytes += text.length;
    }
  });
}

function advisory(i: number): string {
  const word = (n: number) => words[(i * 31 + n * 17 + (n * n) % 13) % words.length];
  const details = Array.from({ length: 300 }, (_, n) => word(n)).join(" ");
  const events = Array.from(
    { length: 12 },
    (_, n) => ({ introduced: `${n}.${i % 97}.0`, fixed: `${n}.${i % 97}.${n + 1}` }),
  );
  return JSON.stringify(
    {
      schema_version: "1.6.0",
      id: `GEN-${i}`,
      modified: "2026-01-01T00:00:00Z",
      aliases: [`CVE-${2000 + i % 26}-${10_000 + i}`],
      summary: details.slice(0, 80),
      details,
      affected: [{
        package: { ecosystem: "npm", name: `package-${i % 5000}` },
        ranges: [{ type: "SEMVER", events }],
      }],
      references: [{ type: "WEB", url: `https://example.org/advisories/${i}` }],
    },
    null,
    2,
  );
}
