/** The images of a bundle, as its signed list has them, for `stella list`. */
import type { Manifest } from "../bundle/manifest.ts";
import { type BundleSource, type ByteReader, withOpen } from "../bundle/source.ts";
import { sha256 } from "../domain/hash.ts";
import { escaped } from "../domain/names.ts";
import { type CarriedImage, imagesName, maxImagesBytes, readImages } from "../images/layout.ts";
import { plural } from "./render.ts";

/** Keeps the list while a verification reads it: a stream can be read only once. */
export class ImageListKeeper {
  #bytes = new Uint8Array();

  through(source: BundleSource): BundleSource {
    return withOpen(source, async (path) => {
      const reader = await source.open(path);
      return reader === undefined || path !== imagesName ? reader : this.#keeping(reader);
    });
  }

  /** Empty for a bundle without images, and for a list that is not the one that was signed. */
  images({ files }: Manifest): CarriedImage[] {
    const listed = files.find(({ path }) => path === imagesName);
    return listed?.sha256 === sha256(this.#bytes) ? readImages(this.#bytes).images : [];
  }

  #keeping(reader: ByteReader): ByteReader {
    if (reader.size > maxImagesBytes) return reader;
    const bytes = new Uint8Array(reader.size);
    let at = 0;
    this.#bytes = bytes;
    return {
      size: reader.size,
      read: async (buffer) => {
        const n = await reader.read(buffer);
        bytes.set(buffer.subarray(0, Math.min(n, bytes.length - at)), at);
        at += n;
        return n;
      },
      close: () => reader.close(),
    };
  }
}

/** Without what only programs need: which blobs belong to which image. */
export function imageJson({ blobs: _, ...image }: CarriedImage): Omit<CarriedImage, "blobs"> {
  return image;
}

export function imageLine({ name, digest, platforms, signedBy, referrers }: CarriedImage): string {
  const facts = [
    platforms.join(", "),
    referrers.length === 0 ? "" : plural(referrers.length, "referrer"),
    signedBy === undefined ? "" : `signed by ${signedBy.join(", ")}`,
  ].filter((fact) => fact !== "");
  return escaped(`image  ${name}  ${digest}  ${facts.join("; ")}`).trimEnd() + "\n";
}
