import assert from "node:assert/strict";
import {
  createdSeconds,
  createdText,
  earliestCreated,
  latestCreated,
} from "../../src/domain/time.ts";
import { always, fc } from "../support/property.ts";

Deno.test("created: both ends of the range are accepted", () => {
  assert.equal(createdText(earliestCreated), "1980-01-01T00:00:00Z");
  assert.equal(createdText(latestCreated), "2107-12-31T23:59:59Z");
  assert.equal(createdSeconds("1980-01-01T00:00:00Z"), earliestCreated);
  assert.equal(createdSeconds("2107-12-31T23:59:59Z"), latestCreated);
});

Deno.test("created: every other form is refused", () => {
  const refused = [
    "1979-12-31T23:59:59Z",
    "2108-01-01T00:00:00Z",
    "2026-02-29T00:00:00Z",
    "2026-13-01T00:00:00Z",
    "2026-01-01T24:00:00Z",
    "2026-01-01T00:00:60Z",
    "2026-01-01T00:00:00",
    "2026-01-01T00:00:00z",
    "2026-01-01T00:00:00.0Z",
    "2026-01-01T00:00:00+00:00",
    "2026-01-01 00:00:00Z",
    "2026-1-1T00:00:00Z",
    "+02026-01-01T00:00:00Z",
    " 2026-01-01T00:00:00Z",
    "2026-01-01T00:00:00Z\n",
    "\u0662026-01-01T00:00:00Z",
    "",
  ];
  for (const text of refused) assert.equal(createdSeconds(text), undefined, text);
});

Deno.test("property: created text and seconds are one to one", () => {
  always(fc.property(fc.integer({ min: earliestCreated, max: latestCreated }), (seconds) => {
    assert.equal(createdSeconds(createdText(seconds)), seconds);
  }));
});
