/**
 * Posts to one fixed address through the common transport, so that the egress policy, address
 * checks and authorities apply to traces as well.
 */
import { bodyOf } from "./message.ts";
import { authorities } from "./authorities.ts";
import { hostOf, parseEndpoint } from "../domain/reference.ts";
import type { EgressPolicy } from "../domain/egress.ts";
import { Transport } from "./transport.ts";

export interface PosterSettings {
  /** `http(s)://HOST[:PORT]`. */
  endpoint: string;
  plainHttp?: boolean;
  /** Path of a PEM file with the only trusted authorities. */
  ca?: string;
  path: string;
  contentType: string;
}

export interface Poster {
  /** Returns the status. @throws StellaError without a response, or by the egress policy */
  post(body: Uint8Array, signal: AbortSignal): Promise<number>;
  /** Closes idle connections. */
  close(): void;
}

/** Reads the authorities; makes no connection yet. @throws StellaError usage */
export function openPoster(settings: PosterSettings, policy: EgressPolicy): Poster {
  const { url, plainHttp } = parseEndpoint(settings.endpoint, settings.plainHttp);
  const transport = new Transport({
    policy,
    authorities: url.protocol === "https:" ? authorities(settings.ca) : [],
    plainHost: plainHttp ? hostOf(url) : undefined,
  });
  const headers = { "content-type": settings.contentType };
  const request = { method: "POST", url: new URL(settings.path, url), headers } as const;
  return {
    post: async (body, signal) => {
      return (await transport.send({ ...request, body: bodyOf(body), signal })).status;
    },
    close: () => transport.close(),
  };
}
