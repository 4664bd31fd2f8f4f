import assert from "node:assert/strict";
import { placeholders, siteAddress, withAddresses } from "../../src/assets/site_addresses.ts";

const text = `a ${placeholders.base}/runbook/X b ${placeholders.grafana}/d/y`;

Deno.test("each address replaces its own placeholder", () => {
  assert.equal(
    withAddresses(text, { base: "http://10.0.0.5:8420", grafana: "https://g" }),
    "a http://10.0.0.5:8420/runbook/X b https://g/d/y",
  );
  assert.equal(
    withAddresses(text, { grafana: "https://g" }),
    `a ${placeholders.base}/runbook/X b https://g/d/y`,
  );
  assert.equal(withAddresses(text, {}), text);
  assert.equal(
    withAddresses(text, { base: "http://$&" }),
    `a http://$&/runbook/X b ${placeholders.grafana}/d/y`,
  );
});

Deno.test("an address is an http or https URL that cannot break out of its YAML value", () => {
  assert.equal(siteAddress("http://10.0.0.5:8420/"), "http://10.0.0.5:8420");
  assert.equal(siteAddress("https://site/stella/"), "https://site/stella");
  for (
    const bad of [
      "ftp://a",
      "a",
      "http://u:p@a",
      "http://a/?x=y",
      "http://a/#x",
      "javascript:x",
      "",
    ]
  ) {
    assert.equal(siteAddress(bad), undefined, bad);
  }
  assert.equal(siteAddress('http://a/": x\n'), "http://a/%22:%20x");
});
