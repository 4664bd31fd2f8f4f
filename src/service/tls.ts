/** The certificate of the service, which can be renewed at run time. */
import { certificateValid } from "../http/certificate_check.ts";
import type { Check } from "../http/readiness.ts";
import type { HttpServer, TlsFiles } from "../http/http_server.ts";
import { messageOf } from "../domain/errors.ts";
import type { ServiceResources } from "./resources.ts";
import type { ServiceOptions } from "./options.ts";

export interface Tls {
  /** Undefined if the service uses plain http. */
  files(): TlsFiles | undefined;
  checks: Check[];
  /** Registers a server that gets renewed certificates. */
  shownBy(server: HttpServer): void;
  /** Reads the files again; errors are logged and the old certificate stays. */
  renew(): void;
}

/** @throws StellaError usage if the files cannot be used at startup */
export function createTls(
  { tls: read, now }: Pick<ServiceOptions, "tls" | "now">,
  { log }: Pick<ServiceResources, "log">,
): Tls {
  let files = read?.();
  const servers: HttpServer[] = [];
  const certificate = () => files!.certificate;
  return {
    files: () => files,
    checks: files === undefined ? [] : [certificateValid({ certificate, now })],
    shownBy: (server) => void servers.push(server),
    renew: () => {
      if (read === undefined) return;
      try {
        const renewed = read();
        for (const server of servers) server.renew(renewed);
        files = renewed;
        log("INFO", "tls.renewed", "certificate reloaded");
      } catch (error) {
        log("ERROR", "tls.refused", "certificate not reloaded", {
          detail: messageOf(error),
        });
      }
    },
  };
}
