/** One question to a running service. */
import type { Host } from "./host.ts";
import type { Answer } from "./service_answer.ts";
import { ServiceClient, type ServiceFlags, usualAnswer } from "./service_client.ts";

export type { Answer };

/**
 * GETs `path` from the service that `flags` name, a URL alone or all of it; see ServiceClient.
 * @throws StellaError usage for a URL that is none, registry where nobody answers
 */
export async function askService(
  flags: string | ServiceFlags | undefined,
  path: string,
  host: Host,
  most = usualAnswer,
): Promise<Answer> {
  const named = typeof flags === "object" ? flags : { url: flags };
  return await new ServiceClient(named, host).call({ path }, most);
}
