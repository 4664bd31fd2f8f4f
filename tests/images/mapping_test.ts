/** Where images go in a registry, by rules that are checked before anything is sent. */
import assert from "node:assert/strict";
import { StellaError } from "../../src/domain/errors.ts";
import { sha256 } from "../../src/domain/hash.ts";
import type { NamedImage } from "../../src/images/image_set.ts";
import { type MappingRules, mapRepositories, parseMapping } from "../../src/images/mapping.ts";

function image(source: string, tag: string | undefined = "v1", content = source): NamedImage {
  const slash = source.indexOf("/");
  return {
    name: `${source}:${tag}`,
    registry: source.slice(0, slash),
    repository: source.slice(slash + 1),
    tag,
    top: { mediaType: "", digest: `sha256:${sha256(content)}`, size: 1 },
  };
}

function mapped(sources: string[], rules: Partial<MappingRules>): Record<string, string> {
  const all = { prefix: "mirror", map: [], flatten: false, ...rules };
  return Object.fromEntries(mapRepositories(sources.map((one) => image(one)), all));
}

Deno.test("an image goes below the prefix, its host, and its repository", () => {
  assert.deepEqual(mapped(["docker.io/library/nginx", "localhost:5000/a"], {}), {
    "docker.io/library/nginx": "mirror/docker.io/library/nginx",
    "localhost:5000/a": "mirror/localhost_5000/a",
  });
  assert.deepEqual(mapped(["docker.io/library/nginx"], { prefix: "" }), {
    "docker.io/library/nginx": "docker.io/library/nginx",
  });
});

Deno.test("the longest mapping that fits counts, and only whole parts fit", () => {
  const map = ["docker.io=hub", "docker.io/library=base", "ghcr.io="].map(parseMapping);
  const sources = ["docker.io/library/nginx", "docker.io/librarything/a", "ghcr.io/org/app"];
  assert.deepEqual(mapped(sources, { map }), {
    "docker.io/library/nginx": "mirror/base/nginx",
    "docker.io/librarything/a": "mirror/hub/librarything/a",
    "ghcr.io/org/app": "mirror/org/app",
  });
});

Deno.test("names that would meet when flattened get a part of their digest", () => {
  const sources = ["a.io/x/y", "a.io/x-y", "a.io/z"];
  const end = (name: string) => sha256(name).slice(0, 8);
  assert.deepEqual(mapped(sources, { flatten: true }), {
    "a.io/x-y": `mirror/a.io-x-y-${end("a.io/x-y")}`,
    "a.io/x/y": `mirror/a.io-x-y-${end("a.io/x/y")}`,
    "a.io/z": "mirror/a.io-z",
  });
});

function refusal(images: NamedImage[], rules: Partial<MappingRules>) {
  try {
    mapRepositories(images, { prefix: "", map: [], flatten: false, ...rules });
  } catch (error) {
    assert.ok(error instanceof StellaError);
    return { code: error.exitCode, found: error.findings.map(({ path }) => path) };
  }
  throw new Error("it was not refused");
}

Deno.test("all names that the registry would refuse are named at once", () => {
  const map = ["a.io/x=-bad", `a.io/y=${"long/".repeat(60)}`].map(parseMapping);
  const images = ["a.io/x", "a.io/y", "a.io/z"].map((one) => image(one));
  assert.deepEqual(refusal(images, { map }), { code: 2, found: ["a.io/x", "a.io/y"] });
});

Deno.test("two images of one target are refused, unless they are one", () => {
  const map = ["a.io/x=same", "b.io/x=same"].map(parseMapping);
  const both = [image("a.io/x"), image("b.io/x")];
  assert.deepEqual(refusal(both, { map }), { code: 2, found: ["b.io/x:v1"] });
  const equal = [image("a.io/x", "v1", "one"), image("b.io/x", "v1", "one")];
  const others = [image("a.io/x", "v1"), image("b.io/x", "v2")];
  for (const images of [equal, others]) {
    const repositories = mapRepositories(images, { prefix: "", map, flatten: false });
    assert.deepEqual([...repositories.values()], ["same", "same"]);
  }
});

Deno.test("a mapping without both sides is refused", () => {
  for (const text of ["", "a", "=b", "/=b"]) {
    assert.throws(() => parseMapping(text), { reason: "argument_invalid" }, text);
  }
});
