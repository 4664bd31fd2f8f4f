/**
 * Posts to one fixed address by the transport that all of this room goes through, so that the same policy, the same checked
 * addresses and the same authorities hold for whatever leaves the machine; traces use it too.
 */
import { bodyOf } from "./message.ts";
import { authorities } from "./authorities.ts";
import { hostOf, parseEndpoint } from "../domain/reference.ts";
import { type Policy, Transport } from "./transport.ts";

export interface PosterSettings {
  /** `http(s)://HOST[:PORT]`. */
  endpoint: string;
  plainHttp?: boolean;
  /** Path of a PEM file with the only authorities that are trusted. */
  ca?: string;
  path: string;
  contentType: string;
}

export interface Poster {
  /** Gives the status. @throws StellaError where there was no answer, or the policy says no */
  post(body: Uint8Array, signal: AbortSignal): Promise<number>;
  /** Ends idle connections. */
  close(): void;
}

/** Reads the authorities; talks to nobody yet. @throws StellaError usage */
export function openPoster(settings: PosterSettings, policy: Policy): Poster {
  const { url, plainHttp } = parseEndpoint(settings.endpoint, settings.plainHttp);
  const transport = new Transport({
    policy,
    authorities: url.protocol === "https:" ? authorities(settings.ca) : [],
    ...(plainHttp ? { plainHost: hostOf(url) } : {}),
  });
  const target = new URL(settings.path, url);
  return {
    post: async (body, signal) => {
      const headers = { "content-type": settings.contentType };
      const outgoing = {
        method: "POST",
        url: target,
        headers,
        body: bodyOf(body),
        signal,
      } as const;
      return (await transport.send(outgoing)).status;
    },
    close: () => transport.close(),
  };
}
