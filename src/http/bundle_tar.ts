/** Streams a whole bundle as one tar, manifest first; equal bundles give equal streams. */
import { TarStream, type TarStreamInput } from "@std/tar";
import { type Contents, storedBytes } from "../store/files/contents.ts";

const block = 512;
/** Bytes per piece; a default reader gets 512 at a time, at a hundredth of the speed. */
const pieceSize = 256 * 1024;

/** Size of the stream: a header and whole blocks per file, two blocks at the end. */
export function tarSize({ files }: Contents): number {
  const padded = files.map(({ size }) => block + Math.ceil(size / block) * block);
  return padded.reduce((sum, one) => sum + one, 2 * block);
}

export function bundleTar(contents: Contents): ReadableStream<Uint8Array> {
  return inPieces(() => ReadableStream.from(inputs(contents)).pipeThrough(new TarStream()));
}

function* inputs(contents: Contents): Generator<TarStreamInput> {
  for (const file of contents.files) {
    yield {
      type: "file",
      path: file.path,
      size: file.size,
      readable: storedBytes(contents, file),
      options: { mode: file.executable ? 0o755 : 0o644, mtime: contents.created },
    };
  }
}

/**
 * Opened on the first read, with a fresh buffer for each piece: TarStream 0.1.10 leaves earlier
 * content of a buffer in its headers.
 */
function inPieces(open: () => ReadableStream<Uint8Array>): ReadableStream<Uint8Array> {
  let reader: ReadableStreamBYOBReader | undefined;
  return new ReadableStream({
    async pull(controller) {
      reader ??= open().getReader({ mode: "byob" });
      const { done, value } = await reader.read(new Uint8Array(pieceSize));
      if (done) controller.close();
      else controller.enqueue(value);
    },
    async cancel(reason) {
      await reader?.cancel(reason);
    },
  }, { highWaterMark: 0 });
}
