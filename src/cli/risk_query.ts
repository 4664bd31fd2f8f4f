/**
 * `stella risk query`: looks up an id while the bundle is verified in place. The answer is printed
 * after the verdict: nobody should act on a line that may be forged.
 */
import { exitCodes, StellaError } from "../domain/errors.ts";
import { shown } from "../domain/names.ts";
import { durationSeconds } from "../config/duration.ts";
import { type AskedProvider, type RiskAnswer, RiskQuery } from "../risk/query.ts";
import type { Verdict } from "../verify/verdict.ts";
import type { Result } from "./command.ts";
import type { Host } from "./host.ts";
import { placeAt } from "./place.ts";
import { verdictJson } from "./render.ts";
import { riskText, type Stale } from "./risk_text.ts";
import { resultOf, type VerifyFlags, verifyPlace } from "./verify.ts";

export async function queryRisk(
  id: string,
  named: string,
  options: VerifyFlags & { maxAge: string | undefined },
  host: Host,
): Promise<Result> {
  const query = new RiskQuery(id);
  const oldest = oldestOf(options.maxAge, host.now());
  const place = await placeAt("query", named, options, host);
  const verified = await verifyPlace(place, options, host, {
    onFile: ({ path }) => query.take(path),
  });
  if (!verified.verdict.ok) return resultOf(verified, host);
  const answer = query.end();
  if (answer === undefined) throw noRiskData(named);
  return answered(query.id, answer, verified.verdict, oldest);
}

/** The age limit. @throws StellaError usage */
function oldestOf(maxAge: string | undefined, now: number): Oldest | undefined {
  if (maxAge === undefined) return undefined;
  const days = /^([1-9]\d{0,4})([dw])$/.exec(maxAge);
  const seconds = days === null
    ? durationSeconds(maxAge)
    : Number(days[1]) * (days[2] === "w" ? 7 : 1) * 86_400;
  if (seconds !== undefined) {
    return { maxAge, time: now - seconds * 1000, latest: now + clockDifference };
  }
  throw new StellaError("argument_invalid", `Cannot use the age ${shown(maxAge)}: not a duration`, {
    hint: "use a number with s, m, h, d or w, for example: --max-age 7d",
  });
}

interface Oldest {
  maxAge: string;
  /** Milliseconds since 1970, as `latest`: earlier data is too old. */
  time: number;
  /** A later date is wrong and says nothing about the age. */
  latest: number;
}

/** Clocks differ, and a date without a time is in some time zone. */
const clockDifference = 24 * 3600 * 1000;

function staleOf(providers: readonly AskedProvider[], { maxAge, time, latest }: Oldest): Stale[] {
  return providers.flatMap(({ name, asOf }): Stale[] => {
    const date = Date.parse(asOf);
    if (date > latest) return [{ name, asOf, why: "which is in the future" }];
    return date >= time ? [] : [{ name, asOf, why: `older than ${maxAge}` }];
  });
}

function answered(
  id: string,
  answer: RiskAnswer,
  verdict: Verdict,
  oldest: Oldest | undefined,
): Result {
  const { lines, providers, leftOut } = answer;
  const stale = oldest === undefined ? [] : staleOf(providers, oldest);
  const found = lines.length > 0;
  const reason = !found ? "not_found" : stale.length > 0 ? "stale" : undefined;
  return {
    code: reason === undefined ? exitCodes.ok : exitCodes[reason],
    json: {
      ...verdictJson(verdict),
      ...{ reason, id, found, answers: lines, providers, leftOut },
      stale: stale.length === 0 ? undefined : stale.map(({ name }) => name),
    },
    text: riskText(id, answer, stale),
  };
}

function noRiskData(place: string): StellaError {
  const what = `Cannot query ${shown(place)}: the bundle has no risk data`;
  return new StellaError("risk_data_missing", what, {
    hint: "export a profile of the kind risk, and query that bundle",
  });
}
