import assert from "node:assert/strict";
import { errorText } from "../../src/cli/render.ts";
import { StellaError } from "../../src/domain/errors.ts";

Deno.test("a finding without a path is printed without a trailing colon", () => {
  const findings = [{ kind: "remote", reason: "reset" }] as const;
  const text = errorText(new StellaError("reset", "The connection ended", { findings }));
  assert.match(text, /^ {2}\[13\] reset$/m);
  assert.doesNotMatch(text, /:[ ]*$/m);
});
