import assert from "node:assert/strict";
import { join } from "node:path";
import { loadConfig } from "../../src/config/load.ts";
import { parseConfig } from "../../src/config/parse.ts";
import { StellaError } from "../../src/domain/errors.ts";
import { computed } from "../support/timing.ts";

/** A directory with these files, removed after the test. */
async function withFiles(
  files: Record<string, string>,
  body: (directory: string) => Promise<void>,
): Promise<void> {
  const directory = Deno.makeTempDirSync({ prefix: "stella-config-" });
  try {
    for (const [name, text] of Object.entries(files)) {
      Deno.writeTextFileSync(join(directory, name), text);
    }
    await body(directory);
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
}

async function faultsOf(text: string): Promise<string[]> {
  let faults: string[] = [];
  await withFiles({ "stella.yaml": text }, async (directory) => {
    const flag = join(directory, "stella.yaml");
    await assert.rejects(
      loadConfig({ flag, environment: () => undefined }),
      (error) => {
        assert.ok(error instanceof StellaError);
        assert.equal(error.kind, "config");
        assert.ok(error.findings.every((one) => one.path === flag && one.kind === "config"));
        faults = error.findings.map((one) => `${one.line} ${one.found}`);
        return true;
      },
    );
  });
  return faults;
}

Deno.test("without a file, the configuration has the profile kit, the tenant default and no registry", async () => {
  const nowhere = { environment: () => undefined, systemFile: "/nonexistent/stella.yaml" };
  const { config, path } = await loadConfig(nowhere);
  assert.equal(path, undefined);
  assert.deepEqual(config.tenants, ["default"]);
  assert.equal(config.registries.size, 0);
  assert.deepEqual([...config.profiles.values()], [
    { name: "kit", kind: "kit", sources: [], compression: "zstd", targets: [] },
  ]);
});

Deno.test("a complete file is read into profiles and registries", async () => {
  const text = `
version: 1
registries:
  site: { url: "https://registry.site:5000", ca: /etc/stella/ca.pem, credentialsFile: /etc/stella/site.json }
  near: { url: "http://127.0.0.1:5000" }
tenants: [default, lab]
profiles:
  advisories:
    kind: files
    tenants: [lab]
    sources: [{ files: /srv/osv, prefix: osv, include: ["**/*.json"], exclude: [drafts], follow: true }, { files: /srv/notes.txt }]
    compression: none
    sla: 15m
    targets: [{ directory: /srv/out }, { registry: site, repository: exports/advisories, tag: "{created}" }]
`;
  await withFiles({ "stella.yaml": text }, async (directory) => {
    const flag = join(directory, "stella.yaml");
    const { config, path } = await loadConfig({ flag, environment: () => undefined });
    assert.equal(path, flag);
    assert.deepEqual(config.tenants, ["default", "lab"]);
    assert.deepEqual([...config.registries.values()], [
      {
        name: "site",
        url: "https://registry.site:5000",
        ca: "/etc/stella/ca.pem",
        credentialsFile: "/etc/stella/site.json",
      },
      { name: "near", url: "http://127.0.0.1:5000" },
    ]);
    assert.deepEqual([...config.profiles.keys()], ["kit", "advisories"]);
    assert.deepEqual(config.profiles.get("advisories"), {
      name: "advisories",
      kind: "files",
      tenants: ["lab"],
      sources: [
        {
          path: "/srv/osv",
          prefix: "osv",
          include: ["**/*.json"],
          exclude: ["drafts"],
          follow: true,
        },
        { path: "/srv/notes.txt" },
      ],
      compression: "none",
      slaSeconds: 900,
      targets: [
        { directory: "/srv/out" },
        { registry: "site", repository: "exports/advisories", tag: "{created}" },
      ],
    });
  });
});

Deno.test("all errors are reported at once, in order, with line and path", async () => {
  const faults = await faultsOf(`version: 2
surprise: yes
registries:
  site: { url: "http://registry.site:5000", caa: x }
  Bad Name: { url: "https://host" }
  open: { url: "https://user:word@host" }
tenants: [default, default, "../x"]
profiles:
  __proto__:
    kind: files
  kit: { kind: files, sources: [{ files: /x }] }
  a:
    kind: tree
    sources:
      - files: srv
        prefix: ../x
      - files: /ok
        include: ["/x", a/../b, "**"]
        exclude: []
        follow: maybe
        inclued: ["**"]
    sla: 2h
    compression: gzip
    targets:
      - { directory: /x, registry: site }
      - { registry: nowhere, repository: A/B, tag: "{when}" }
  b: 7
  c: { kind: files, sources: [] }
  d: { kind: files }
`);
  assert.deepEqual(faults, [
    "1 version: must be 1",
    "2 surprise: is not a known key",
    "4 registries.site.caa: is not a known key",
    "4 registries.site.url: must be https, or say plainHttp: true",
    '5 registries."Bad Name": must be 1 to 64 of a-z 0-9 . _ - with a letter or digit at both ends',
    "6 registries.open.url: must not hold credentials: use credentialsFile",
    "7 tenants[2]: must be 1 to 64 of a-z 0-9 . _ - with a letter or digit at both ends",
    "7 tenants: must not repeat a name",
    "9 profiles.__proto__: cannot be a name",
    "11 profiles.kit: is built in: use another name",
    "13 profiles.a.kind: must be files, risk or images",
    "15 profiles.a.sources[0].files: must be an absolute path",
    "16 profiles.a.sources[0].prefix: cannot be used: it has the part ..",
    "18 profiles.a.sources[1].include[0]: cannot be used: it is absolute: write it as below the source",
    "18 profiles.a.sources[1].include[1]: cannot be used: it has the part . or ..",
    "19 profiles.a.sources[1].exclude: must name at least one glob",
    "20 profiles.a.sources[1].follow: must be true or false",
    "21 profiles.a.sources[1].inclued: is not a known key",
    "22 profiles.a.sla: must be a duration such as 15m, below 2h",
    "23 profiles.a.compression: must be zstd or none",
    "25 profiles.a.targets[0]: must have either directory, or registry, repository and tag",
    "26 profiles.a.targets[1].repository: must be a repository name",
    "26 profiles.a.targets[1].tag: cannot be used: unknown placeholder {when}, use {created} {profile} {tenant} {digest}",
    "26 profiles.a.targets[1].registry: is not one of the registries",
    "27 profiles.b: must be a map",
    "28 profiles.c.sources: must name at least one source",
    "29 profiles.d.sources: is missing: a list goes here",
  ]);
});

Deno.test("a file that is not YAML 1.2 is refused with the line", async (t) => {
  const cases: [string, string, string[]][] = [
    ["a key twice", "version: 1\nversion: 1\n", ["2 Map keys must be unique"]],
    ["tabs", "version: 1\nprofiles:\n\ta: 1\n", ["3 Tabs are not allowed as indentation"]],
    ["a foreign tag", "version: 1\nprofiles: !!js {}\n", [
      "2 Unresolved tag: tag:yaml.org,2002:js",
    ]],
    ["an empty file", "", ["1 the file: must be a map"]],
  ];
  for (const [name, text, expected] of cases) {
    await t.step(name, async () => assert.deepEqual(await faultsOf(text), expected));
  }
});

Deno.test("an alias bomb is refused, not expanded", async () => {
  const levels = Array.from(
    { length: 12 },
    (_, n) => `k${n + 1}: &k${n + 1} [${Array(9).fill(`*k${n}`).join(", ")}]`,
  );
  const faults = await faultsOf(["k0: &k0 [x]", ...levels].join("\n"));
  assert.match(faults.join(), /^1 Excessive alias count/);
});

Deno.test("the first of flag, STELLA_CONFIG, state directory and system file is read", async () => {
  const file = (tenant: string) => `version: 1\ntenants: [${tenant}]\n`;
  const files = {
    "flag.yaml": file("flag"),
    "named.yaml": file("named"),
    "stella.yaml": file("state"),
    "system.yaml": file("system"),
  };
  await withFiles(files, async (directory) => {
    const at = (name: string) => join(directory, name);
    const load = async (flag: string | undefined, variables: Record<string, string>) => {
      const environment = (name: string) => variables[name];
      const where = { flag, environment, systemFile: at("system.yaml") };
      return (await loadConfig(where)).config.tenants[0];
    };
    const both = { STELLA_CONFIG: at("named.yaml"), STELLA_DATA: directory };
    assert.equal(await load(at("flag.yaml"), both), "flag");
    assert.equal(await load(undefined, both), "named");
    assert.equal(await load(undefined, { STELLA_DATA: directory }), "state");
    assert.equal(await load(undefined, {}), "system");
  });
});

Deno.test("a file named explicitly must exist, be a regular file and be small", async () => {
  await withFiles({ "large.yaml": "#".repeat(1024 * 1024 + 1) }, async (directory) => {
    const load = (flag: string) => loadConfig({ flag, environment: () => undefined });
    await assert.rejects(load(join(directory, "none.yaml")), {
      kind: "io",
      message: /none\.yaml": no such file/,
    });
    await assert.rejects(load(join(directory, "large.yaml")), {
      message: /larger than 1 MiB/,
    });
    await assert.rejects(load(directory), { message: /not a regular file/ });
  });
});

/** The shortest of three times to parse a file with this many unknown keys, in milliseconds. */
async function timeOf(keys: number, indent: string): Promise<number> {
  const lines = Array.from({ length: keys }, (_, i) => `${indent}k${i}: 1\n`).join("");
  const text = `version: 1\n${indent === "" ? "" : "service:\n"}${lines}`;
  const refused = () =>
    assert.throws(() => parseConfig("x", text), (error) => {
      return error instanceof StellaError && error.findings.length === keys;
    });
  const times = [await computed(refused), await computed(refused), await computed(refused)];
  return Math.min(...times);
}

for (const indent of ["", "  "]) {
  Deno.test(`the time for many unknown keys is proportional to their number (indent ${indent.length})`, async () => {
    await timeOf(500, indent);
    const ratio = await timeOf(12_000, indent) / await timeOf(2_000, indent);
    assert.ok(ratio < 18, `six times the keys took ${ratio.toFixed(1)} times as long`);
  });
}

Deno.test("a duplicate key at any depth is reported with the line of its second occurrence", async () => {
  const text = "version: 1\nservice:\n  listen: a\n  hosts: []\n  listen: b\nversion: 1\n";
  const message = "Map keys must be unique";
  assert.deepEqual(await faultsOf(text), [`5 ${message}`, `6 ${message}`]);
});

Deno.test("missing, superfluous and invalid keys of an images profile are reported", async () => {
  const faults = await faultsOf(`version: 1
registries:
  hub: { url: "https://mirror.site", serves: "Docker.io/x", redirects: ["https://cdn.site"] }
profiles:
  a: { kind: images }
  b:
    kind: images
    images: [nginx, "docker.io/nginx", "me:word@r.site/x:1", "r.site/x@sha256:1", "r.site/x:1"]
    sources: [{ files: /srv }]
    providers: [{ kind: kev, path: /srv/kev.json }]
  c: { kind: files, sources: [{ files: /srv }], images: ["r.site/x:1"] }
`);
  assert.deepEqual(faults, [
    "3 registries.hub.serves: must be HOST[:PORT] as references have it",
    "3 registries.hub.redirects[0]: must be HOST[:PORT], without scheme and path",
    "5 profiles.a.images: is missing: a list goes here",
    "8 profiles.b.images[0]: cannot be used: there is no repository",
    "8 profiles.b.images[1]: cannot be used: it has no tag",
    "8 profiles.b.images[2]: cannot be used: it has credentials in it",
    '8 profiles.b.images[3]: cannot be used: the digest "sha256:1" is not sha256 and 64 hex digits',
    "9 profiles.b.sources: is not for profiles of the kind images",
    "10 profiles.b.providers: is for profiles of the kind risk",
    "11 profiles.c.images: is for profiles of the kind images",
  ]);
});
