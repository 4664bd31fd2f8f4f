/** A sound bundle of each form, and ways to tamper with one. */
import { Buffer } from "node:buffer";
import { chunkSize } from "../../src/bundle/manifest.ts";
import { type Files, type MadeBundle, makeBundle, type Recipe } from "./bundle_fixture.ts";

const big = {
  entries: [
    { path: "a.txt", content: "first\n" },
    { path: "b.bin", content: new Uint8Array(chunkSize).map((_, i) => i >> 9) },
    { path: "c.txt", content: "last\n" },
  ],
};
const recipes: Record<string, Recipe> = {
  plain: {},
  zstd: { compression: "zstd" },
  volumes: { ...big, compression: "zstd", chunksPerVolume: 1 },
  plainVolumes: { ...big, chunksPerVolume: 1 },
  directory: { layout: "directory" },
};
export const bundles = Object.fromEntries(
  Object.entries(recipes).map(([name, recipe]) => [name, makeBundle(recipe)]),
);

export function tampered(form: string, change: (files: Files) => void): MadeBundle {
  const made = bundles[form]!;
  const files = new Map(made.files);
  change(files);
  return { ...made, files };
}

export function flip(path: string, at: number): (files: Files) => void {
  return (files) => {
    const bytes = Buffer.from(files.get(path)!);
    bytes[at < 0 ? bytes.length + at : at]! ^= 1;
    files.set(path, bytes);
  };
}

export const cut = (path: string, by: number) => (files: Files) =>
  void files.set(path, files.get(path)!.subarray(0, -by));
export const grow = (path: string, more: string) => (files: Files) =>
  void files.set(path, Buffer.concat([files.get(path)!, Buffer.from(more)]));
export const drop = (path: string) => (files: Files) => void files.delete(path);
export const put = (path: string, text: string) => (files: Files) =>
  void files.set(path, Buffer.from(text));
export const swap = (a: string, b: string) => (files: Files) => {
  const [x, y] = [files.get(a)!, files.get(b)!];
  files.set(a, y).set(b, x);
};
