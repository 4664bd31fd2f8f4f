/**
 * `stella health`: readiness of a running service by exit code, for hosts without curl: 0 ready, 13
 * not.
 */
import { exitCodes } from "../domain/errors.ts";
import { escaped } from "../domain/names.ts";
import { askService } from "./ask_service.ts";
import type { Host } from "./host.ts";
import type { CommonOptions, Result } from "./program.ts";
import type { ServiceFlags } from "./service_client.ts";

/** @throws StellaError registry (the same code as not ready) where nobody answers */
export async function runHealth(
  options: CommonOptions & ServiceFlags,
  host: Host,
): Promise<Result> {
  const { status, text } = await askService(options, "/health/readiness?verbose", host);
  const ok = status === 200;
  const code = ok ? exitCodes.ok : exitCodes.registry;
  // The lines are another program's text, even if it should be ours.
  const lines = text.split("\n").map(escaped).filter((line) => line !== "");
  return { code, json: { ok, code, checks: lines }, text: lines.join("\n") + "\n" };
}
