/**
 * Redirects of reads (GET, HEAD): registries with object storage deliver blobs that way. Another
 * origin gets no credentials and must pass the egress policy, which the transport checks for every
 * request. It must be one of those that the configuration lists for the registry; without a list it
 * must not be a private address, unless the registry has one itself. Redirects of uploads are not
 * followed: content is only sent to the named registry.
 */
import { StellaError } from "../domain/errors.ts";
import { refused, RemoteError, target } from "./failure.ts";
import type { Answer, Outgoing } from "./message.ts";
import { isAllowed } from "../domain/egress.ts";
import { type Endpoint, hostOf, mayBeNamedBy, portOf } from "../domain/reference.ts";

const maxRedirects = 3;

export interface Redirecting {
  endpoint: Endpoint;
  /** Hosts to redirect to, as in `egress.allow`; undefined: any. */
  redirects?: readonly string[] | undefined;
}

/** The last response of a chain of redirects that begins with `answer`. */
export async function followRedirects<T extends Answer>(
  registry: Redirecting,
  outgoing: Outgoing,
  answer: T,
  send: (outgoing: Outgoing) => Promise<T>,
): Promise<T> {
  let [asked, last] = [outgoing, answer];
  try {
    for (let hops = 0;; hops++) {
      const url = redirectOf(registry, asked, last);
      if (url === undefined) return last;
      if (hops === maxRedirects) {
        const text = `${target(outgoing)}: more than ${maxRedirects} redirects`;
        throw new RemoteError("rejected", text, {
          hint: "check the log of the registry and of any proxy in front of it",
        });
      }
      const isForeign = registry.redirects === undefined && url.origin !== outgoing.url.origin;
      const redirectedBy = isForeign ? outgoing.url : undefined;
      asked = { ...asked, url, headers: headersFor(url, asked), redirectedBy };
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
function redirectOf(
  { endpoint, redirects }: Redirecting,
  asked: Outgoing,
  answer: Answer,
): URL | undefined {
  const { method, url } = asked;
  const location = answer.header("location");
  const isRead = method === "GET" || method === "HEAD";
  if (!isRead || location === undefined || ![301, 302, 303, 307, 308].includes(answer.status)) {
    return undefined;
  }
  const next = URL.parse(location, url);
  if (next !== null && mayBeNamedBy(endpoint, next)) {
    if (redirects === undefined || next.origin === endpoint.url.origin) return next;
    if (isAllowed({ sealed: true, allow: redirects }, hostOf(next), portOf(next))) return next;
    throw refused(asked, answer, {
      hint: `add ${JSON.stringify(next.host)} to redirects of the registry, if it is its storage`,
    });
  }
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
