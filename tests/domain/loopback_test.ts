import assert from "node:assert/strict";
import { isLoopback, isLoopbackHost } from "../../src/domain/loopback.ts";

Deno.test("loopback is 127.0.0.0/8, ::1 in every notation, and localhost", () => {
  const hosts = ["127.0.0.1", "127.255.0.9", "::1", "[::1]", "0:0:0:0:0:0:0:1", "localhost"];
  for (const host of hosts) assert.equal(isLoopback(host), true, host);
  const others = ["127.0.0.1.evil.example", "128.0.0.1", "::", "::2", "::1%lo", "", "localhost."];
  for (const host of others) assert.equal(isLoopback(host), false, host);
});

Deno.test("whether a host with a port is loopback depends only on its name or address", () => {
  for (const host of ["localhost:8420", "127.0.0.1", "[::1]:80"]) {
    assert.equal(isLoopbackHost(host), true, host);
  }
  for (const host of ["localhost.evil.example:80", "127.0.0.1@evil.example", "a/127.0.0.1", ""]) {
    assert.equal(isLoopbackHost(host), false, host);
  }
});
