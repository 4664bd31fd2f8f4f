/** Properties with a fixed seed: a test that fails fails again. */
import fc from "fast-check";

export { fc };

export function always<T>(property: fc.IProperty<T>, numRuns = 200): void {
  fc.assert(property, { seed: 20260101, numRuns });
}

export async function alwaysAsync<T>(property: fc.IAsyncProperty<T>, numRuns = 200): Promise<void> {
  await fc.assert(property, { seed: 20260101, numRuns });
}

/** Any well-formed text. (fast-check's own unit "binary" takes a second to set up.) */
export const anyText = fc.array(
  fc.oneof(fc.integer({ min: 0, max: 0xff }), fc.integer({ min: 0, max: 0x10ffff }))
    .filter((code) => code < 0xd800 || code > 0xdfff),
  { maxLength: 12 },
).map((codes) => String.fromCodePoint(...codes));
