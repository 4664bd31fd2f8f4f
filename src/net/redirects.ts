/**
 * Redirects of reads (GET, HEAD): registries with object storage deliver blobs that way. Another
 * origin gets no credentials and must pass the egress policy, which the transport checks for every
 * request. Redirects of uploads are not followed: content is only sent to the named registry.
 */
import { StellaError } from "../domain/errors.ts";
import { refused, RemoteError, target } from "./failure.ts";
import type { Answer, Outgoing } from "./message.ts";
import { type Endpoint, mayBeNamedBy } from "../domain/reference.ts";

const maxRedirects = 5;

/** The last response of a chain of redirects that begins with `answer`. */
export async function followRedirects<T extends Answer>(
  endpoint: Endpoint,
  outgoing: Outgoing,
  answer: T,
  send: (outgoing: Outgoing) => Promise<T>,
): Promise<T> {
  let [asked, last] = [outgoing, answer];
  try {
    for (let hops = 0;; hops++) {
      const url = redirectOf(endpoint, asked, last);
      if (url === undefined) return last;
      if (hops === maxRedirects) {
        const text = `${target(outgoing)}: more than ${maxRedirects} redirects`;
        throw new RemoteError("rejected", text, {
          hint: "check the log of the registry and of any proxy in front of it",
        });
      }
      asked = { ...asked, url, headers: headersFor(url, asked) };
      last = { ...await send(asked), from: url.origin };
    }
  } catch (error) {
    // An existence check may stay undecided: the blob is then sent.
    const isOpen = outgoing.method === "HEAD" && error instanceof StellaError;
    if (isOpen && error.kind !== "interrupted") return answer;
    throw error;
  }
}

/** @throws RemoteError if the registry may not redirect to that URL */
function redirectOf(endpoint: Endpoint, asked: Outgoing, answer: Answer): URL | undefined {
  const { method, url } = asked;
  const location = answer.header("location");
  const isRead = method === "GET" || method === "HEAD";
  if (!isRead || location === undefined || ![301, 302, 303, 307, 308].includes(answer.status)) {
    return undefined;
  }
  const next = URL.parse(location, url);
  if (next !== null && mayBeNamedBy(endpoint, next)) return next;
  const where = next === null ? "an invalid URL" : next.origin;
  throw refused(asked, answer, {
    hint: `have the registry redirect to an https URL (not ${where}), or send the blobs itself`,
  });
}

function headersFor(url: URL, asked: Outgoing): Record<string, string> {
  const { authorization, ...others } = asked.headers ?? {};
  const isSame = authorization !== undefined && url.origin === asked.url.origin;
  return isSame ? { ...others, authorization } : others;
}
