/** Reads the body of a request as text, up to a limit. */

/** Bytes; the largest request, an export with all options, has some hundred. */
export const maxBodyBytes = 64 * 1024;

/** Undefined if it is longer; the rest is not read. */
export async function readBody(request: Request): Promise<string | undefined> {
  if (Number(request.headers.get("content-length") ?? 0) > maxBodyBytes) return undefined;
  const decoder = new TextDecoder();
  let text = "";
  let bytes = 0;
  for await (const chunk of request.body ?? []) {
    bytes += chunk.length;
    if (bytes > maxBodyBytes) return undefined;
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}
