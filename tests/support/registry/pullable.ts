/** Whether every tag of the registry in memory can be pulled. */
import assert from "node:assert/strict";
import type { FakeRegistry } from "./fake_registry.ts";

/** @returns the tags, sorted, whose content must be there */
export function assertPullable(registry: FakeRegistry): string[] {
  const tags = [...registry.manifests.keys()].filter((name) => !name.startsWith("sha256:"));
  const check = (reference: string) => {
    const stored = registry.manifests.get(reference);
    assert.ok(stored !== undefined, `${reference} is not there`);
    const manifest = JSON.parse(new TextDecoder().decode(stored.bytes));
    for (const { digest } of manifest.manifests ?? []) check(digest);
    for (const { digest } of [manifest.config ?? [], manifest.layers ?? []].flat()) {
      assert.ok(registry.blobs.has(digest), `${digest} is not there`);
    }
  };
  tags.forEach(check);
  return tags.sort();
}
