/** What a service keeps over a restart. */
import assert from "node:assert/strict";
import { Home, type Service } from "../support/service_process.ts";

const lastSuccess = async (service: Service) => {
  const { body } = await service.get("/metrics");
  const found = /^export_last_success_timestamp_seconds\{profile="quick"\} (\S+)$/m.exec(body);
  return Number(found?.[1]);
};

Deno.test("the time of a profile's last success survives a restart and a failure", async () => {
  using home = new Home();
  const first = await home.start();
  let before = NaN;
  try {
    assert.equal(await lastSuccess(first), 0);
    await first.until(await first.enqueue("quick"), "succeeded");
    before = await lastSuccess(first);
    assert.ok(Math.abs(before - Date.now() / 1000) < 60, String(before));
    await first.until(await first.enqueue("fail"), "failed");
  } finally {
    assert.equal(await first.stop(), 0);
  }
  const second = await home.start();
  try {
    assert.ok(Math.abs(await lastSuccess(second) - before) < 1);
    const { body } = await second.get("/metrics");
    assert.match(body, /^export_last_success_timestamp_seconds\{profile="fail"\} 0$/m);
  } finally {
    assert.equal(await second.stop(), 0);
  }
});
