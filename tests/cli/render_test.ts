import assert from "node:assert/strict";
import { errorText } from "../../src/cli/render.ts";
import { broken } from "../../src/net/connection_failure.ts";

Deno.test("a finding without a place has no colon with nothing behind it", () => {
  const reset = Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET" });
  const text = errorText(broken("GET", new URL("https://r.test/v2/"), reset));
  assert.match(text, /^ {2}\[13\] reset$/m);
  assert.doesNotMatch(text, /:[ ]*$/m);
});
