/** The certificate of the service, which can be renewed at run time. */
import { certificateValid } from "../http/checks.ts";
import type { HttpServer } from "../http/http_server.ts";
import { messageOf } from "../domain/errors.ts";
import type { ServiceResources } from "./resources.ts";
import type { ServiceOptions } from "./options.ts";

export type Tls = ReturnType<typeof createTls>;

/** @throws StellaError config if the files cannot be used at startup */
export function createTls(
  { tls: read, now }: Pick<ServiceOptions, "tls" | "now">,
  { log }: Pick<ServiceResources, "log">,
) {
  let files = read?.();
  const servers: HttpServer[] = [];
  return {
    /** Undefined if the service uses plain http. */
    files: () => files,
    checks: files === undefined ? [] : [certificateValid(() => files!.certificate, now)],
    /** Registers a server that gets renewed certificates. */
    shownBy: (server: HttpServer) => void servers.push(server),
    /** Reads the files again; errors are logged and the old certificate stays. */
    renew: () => {
      if (read === undefined) return;
      try {
        const renewed = read();
        for (const server of servers) server.renew(renewed);
        files = renewed;
        log("INFO", "tls.renewed", "certificate reloaded");
      } catch (error) {
        log("ERROR", "tls.refused", "certificate not reloaded", { detail: messageOf(error) });
      }
    },
  };
}
