/** A separate directory for each test of the build, with the fixture's sources in it. */
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";

export interface Place extends AsyncDisposable {
  /** Absolute; holds main.ts and late.ts. */
  root: string;
}

export async function fixturePlace(): Promise<Place> {
  const root = await mkdtemp(`${tmpdir()}/stella-build-`);
  await cp(new URL("fixture/", import.meta.url), root, { recursive: true });
  return { root, [Symbol.asyncDispose]: () => rm(root, { recursive: true }) };
}
