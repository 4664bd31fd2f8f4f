/** Files that make clients use a mirror: what is written for a mapping. */
import assert from "node:assert/strict";
import type { NamedImage } from "../../src/images/image_set.ts";
import { mapRepositories, parseMapping } from "../../src/images/mapping.ts";
import { configHeader, hostsWithoutToml, mirrorConfigs } from "../../src/images/mirror_configs.ts";

function image(registry: string, repository: string, tag = "v1"): NamedImage {
  const top = { mediaType: "", digest: `sha256:${"a".repeat(64)}`, size: 1 } as const;
  return { name: `${registry}/${repository}:${tag}`, registry, repository, tag, top };
}

const images = [
  image("docker.io", "library/web"),
  image("docker.io", "org/tool"),
  image("localhost:5000", "app"),
];

function configsFor(
  some: NamedImage[],
  { map = [], flatten = false, protocol = "https:" }: {
    map?: string[];
    flatten?: boolean;
    protocol?: string;
  } = {},
) {
  const rules = { prefix: "mirror", map: map.map(parseMapping), flatten };
  const repositories = mapRepositories(some, rules);
  const files = mirrorConfigs(some, repositories, { protocol, authority: "registry.site:5000" });
  const texts = [...files].map(([path, text]) => {
    assert.ok(text.startsWith(configHeader), path);
    return [path, text.slice(configHeader.length)] as const;
  });
  const byPath: Record<string, string> = Object.fromEntries(texts);
  return { files: byPath, without: hostsWithoutToml(some, repositories) };
}

Deno.test("by default one rule for each host says it all", () => {
  const { files, without } = configsFor(images);
  assert.deepEqual(without, []);
  assert.deepEqual(files, {
    "containerd/certs.d/docker.io/hosts.toml":
      `server = "https://registry.site:5000/v2/mirror/docker.io"
override_path = true

[host."https://registry.site:5000/v2/mirror/docker.io"]
capabilities = ["pull", "resolve"]
override_path = true
`,
    "containerd/certs.d/localhost_5000_/hosts.toml":
      `server = "https://registry.site:5000/v2/mirror/localhost_5000"
override_path = true

[host."https://registry.site:5000/v2/mirror/localhost_5000"]
capabilities = ["pull", "resolve"]
override_path = true
`,
    "containers/registries.conf.d/50-stella.conf": `
[[registry]]
prefix = "docker.io"
location = "registry.site:5000/mirror/docker.io"
insecure = false

[[registry]]
prefix = "localhost:5000"
location = "registry.site:5000/mirror/localhost_5000"
insecure = false
`,
    "k3s/registries.yaml": `mirrors:
  "docker.io":
    endpoint: ["https://registry.site:5000"]
    rewrite:
      "^(.*)$": "mirror/docker.io/$1"
  "localhost:5000":
    endpoint: ["https://registry.site:5000"]
    rewrite:
      "^(.*)$": "mirror/localhost_5000/$1"
`,
    "openshift/mirror-sets.yaml": `apiVersion: config.openshift.io/v1
kind: ImageDigestMirrorSet
metadata: { name: stella }
spec:
  imageDigestMirrors:
    - source: "docker.io"
      mirrors: ["registry.site:5000/mirror/docker.io"]
      mirrorSourcePolicy: NeverContactSource
    - source: "localhost:5000"
      mirrors: ["registry.site:5000/mirror/localhost_5000"]
      mirrorSourcePolicy: NeverContactSource
---
apiVersion: config.openshift.io/v1
kind: ImageTagMirrorSet
metadata: { name: stella }
spec:
  imageTagMirrors:
    - source: "docker.io"
      mirrors: ["registry.site:5000/mirror/docker.io"]
      mirrorSourcePolicy: NeverContactSource
    - source: "localhost:5000"
      mirrors: ["registry.site:5000/mirror/localhost_5000"]
      mirrorSourcePolicy: NeverContactSource
`,
  });
});

Deno.test("where repositories move on their own each has a rule, and containerd has none", () => {
  const mapped = { map: ["docker.io/library=base"], protocol: "http:" };
  const { files, without } = configsFor(images, mapped);
  assert.deepEqual(without, ["docker.io"]);
  assert.ok(!("containerd/certs.d/docker.io/hosts.toml" in files));
  assert.match(
    files["containers/registries.conf.d/50-stella.conf"] ?? "",
    /prefix = "docker.io\/library\/web"\nlocation = "registry.site:5000\/mirror\/base\/web"\ninsecure = true\n/,
  );
  assert.match(files["k3s/registries.yaml"] ?? "", /"\^library\/web\$": "mirror\/base\/web"\n/);
  assert.deepEqual(configsFor(images, { flatten: true }).without, ["docker.io", "localhost:5000"]);
});

Deno.test("trivy finds its databases at the mirror", () => {
  const some = ["trivy-db:2", "trivy-java-db:1"].map((one) => {
    const [name = "", tag] = one.split(":");
    return image("ghcr.io", `aquasecurity/${name}`, tag);
  });
  assert.equal(
    configsFor(some, { protocol: "http:" }).files["trivy.env"],
    `TRIVY_DB_REPOSITORY=registry.site:5000/mirror/ghcr.io/aquasecurity/trivy-db:2
TRIVY_JAVA_DB_REPOSITORY=registry.site:5000/mirror/ghcr.io/aquasecurity/trivy-java-db:1
TRIVY_INSECURE=true
`,
  );
  assert.ok(!("trivy.env" in configsFor(images).files));
});
