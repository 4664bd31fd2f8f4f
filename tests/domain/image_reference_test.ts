import assert from "node:assert/strict";
import { imageFault, parseImage } from "../../src/domain/image_reference.ts";
import { endpointOf } from "../../src/domain/reference.ts";

const digest = `sha256:${"a".repeat(64)}` as const;

Deno.test("an image reference has a host, a repository and a tag or digest", () => {
  const cases: [string, string, string, string | undefined, string | undefined][] = [
    ["docker.io/library/nginx:1.27", "docker.io", "library/nginx", "1.27", undefined],
    ["docker.io/nginx:1.27", "docker.io", "library/nginx", "1.27", undefined],
    ["oci://R.site:5000/a/b:v1", "r.site:5000", "a/b", "v1", undefined],
    ["oci:r.site/a:v1", "r.site", "a", "v1", undefined],
    [`r.site/a@${digest}`, "r.site", "a", undefined, digest],
    [`r.site:5000/a:v1@${digest}`, "r.site:5000", "a", "v1", digest],
  ];
  for (const [text, registry, repository, tag, found] of cases) {
    const image = parseImage(text);
    assert.deepEqual(
      [image.text, image.registry, image.repository, image.tag, image.digest],
      [text, registry, repository, tag, found],
    );
  }
});

Deno.test("short names, missing tags and invalid references are refused", () => {
  const cases: [string, RegExp][] = [
    ["nginx", /there is no repository/],
    ["nginx:1.27", /the host "nginx:1\.27" is not allowed|no repository/],
    ["library/nginx", /it has no tag/],
    ["docker.io/library/nginx", /it has no tag/],
    ["r.site/A:1", /it must be lowercase/],
    ["r.site/a:", /the tag "" is not allowed/],
    [`r.site/a:v1@sha512:${"a".repeat(128)}`, /the digest "sha512:/],
    ["docker://r.site/a:1", /is not allowed/],
    ["", /there is no host/],
  ];
  for (const [text, message] of cases) {
    assert.throws(() => parseImage(text), { reason: "reference_invalid", message });
    assert.match(imageFault(text) ?? "", message);
  }
});

Deno.test("no error message contains a password", () => {
  for (const text of ["me:s3cret@r.site/a:1", "oci://me:s3cret@r.site/a:1"]) {
    assert.throws(() => parseImage(text), (error) => !String(error).includes("s3cret"));
    assert.equal(imageFault(text), "it has credentials in it");
  }
});

Deno.test("docker.io is resolved to the host that serves Docker Hub", () => {
  const { url } = endpointOf({ authority: "docker.io" });
  assert.equal(url.href, "https://registry-1.docker.io/");
});
