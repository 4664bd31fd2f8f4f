/** Transforms entries into the bytes of a ustar archive. */
import { type TarStreamInput, toHeader, type Uint8Array_ } from "./header.ts";

const blockSize = 512;

/**
 * A transform of entries into one archive, ended by two zero blocks. Content is passed on in the
 * pieces of its stream, so memory does not grow with it. The readable side is a byte stream.
 *
 * It fails with a RangeError if a file's stream has more or fewer bytes than its `size`, and with a
 * RangeError or TypeError if a path or option does not fit a ustar header; the stream of the
 * current entry is then cancelled.
 */
export class TarStream implements TransformStream<TarStreamInput, Uint8Array_> {
  readonly readable: ReadableStream<Uint8Array_>;
  readonly writable: WritableStream<TarStreamInput>;

  constructor() {
    const inputs = new TransformStream<TarStreamInput, TarStreamInput>();
    this.writable = inputs.writable;
    this.readable = byteStream(archive(inputs.readable));
  }
}

async function* archive(inputs: ReadableStream<TarStreamInput>): AsyncGenerator<Uint8Array_> {
  for await (const input of inputs) {
    try {
      yield toHeader(input);
      yield* content(input.readable, input.size);
    } finally {
      // After a refused header, or if the reader is gone, no file may stay open.
      await input.readable.cancel();
    }
  }
  yield new Uint8Array(2 * blockSize);
}

async function* content(
  readable: ReadableStream<Uint8Array>,
  size: number,
): AsyncGenerator<Uint8Array_> {
  let seen = 0;
  for await (const chunk of readable) {
    seen += chunk.length;
    if (seen > size) break;
    // A byte stream detaches the buffers it is given: it gets copies.
    if (chunk.length > 0) yield chunk.slice();
  }
  if (seen !== size) {
    const found = seen > size ? "more" : `only ${seen}`;
    throw new RangeError(`Cannot add a file to the archive: its size is ${size}, found ${found}`);
  }
  const padding = (blockSize - size % blockSize) % blockSize;
  if (padding > 0) yield new Uint8Array(padding);
}

/** A byte stream over a generator, one piece per pull; supports both kinds of readers. */
function byteStream(pieces: AsyncGenerator<Uint8Array_>): ReadableStream<Uint8Array_> {
  const stream = new ReadableStream({
    type: "bytes",
    async pull(controller) {
      const { done, value } = await pieces.next();
      if (!done) return controller.enqueue(value);
      controller.close();
      controller.byobRequest?.respond(0);
    },
    async cancel() {
      await pieces.return(undefined);
    },
  });
  return stream as ReadableStream<Uint8Array_>;
}
