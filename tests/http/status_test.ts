/** What `/status` and `stella status` show to whom. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import type { Host } from "../../src/cli/host.ts";
import { showStatus } from "../../src/cli/status.ts";
import { configuration, Home } from "../support/service_process.ts";

const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");
const token = "correct-horse-battery-staple";
const guarded = `${configuration}tokens:
  ci: { sha256: ${sha256(token)}, tenants: [default], scopes: [read] }
`;
const host = {
  environment: () => undefined,
  stop: new AbortController().signal,
} as unknown as Host;

Deno.test("status shows paths and configuration with a token, and only features without one", async () => {
  using home = new Home();
  home.configure(guarded);
  const service = await home.start();
  try {
    const tokenFile = join(home.path, "token");
    Deno.writeTextFileSync(tokenFile, token, { mode: 0o600 });
    // The configuration in use is the one that was loaded, whatever the file holds now.
    home.configure("version: 1\n");
    const known = await showStatus(undefined, { server: service.url, tokenFile }, host);
    assert.match(known.text, new RegExp(`^  state     ${home.state}$`, "m"));
    assert.match(known.text, new RegExp(`^  config    ${home.path}/stella.yaml$`, "m"));
    assert.match(known.text, new RegExp(`^            sha256:${sha256(guarded)}$`, "m"));
    const stranger = await showStatus(undefined, { server: service.url }, host);
    assert.match(stranger.text, /^ {2}features {2}.*\btokens on\b/m);
    assert.doesNotMatch(JSON.stringify(stranger), new RegExp(`${home.path}|${sha256(guarded)}`));
  } finally {
    assert.equal(await service.stop(), 0);
  }
});

Deno.test("without tokens paths are shown to no client, even on this machine", async () => {
  using home = new Home();
  const service = await home.start();
  try {
    const answer = await fetch(`${service.url}/status`, { headers: { authorization: "Bearer x" } });
    assert.doesNotMatch(await answer.text(), new RegExp(home.path));
  } finally {
    assert.equal(await service.stop(), 0);
  }
});
