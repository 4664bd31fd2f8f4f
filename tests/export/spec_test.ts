/** Requests of flags and jobs, resolved to what is exported. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { newSecret } from "../../src/attest/secret.ts";
import { writeNew } from "../../src/domain/durable.ts";
import type { Profile } from "../../src/config/profile.ts";
import { type ExportRequest, resolveExport, type ResolveOptions } from "../../src/export/spec.ts";
import { withDirectory } from "../support/bundle_fixture.ts";

const files: Profile = {
  name: "p",
  kind: "files",
  sources: [{ path: "in" }],
  compression: "zstd",
  targets: [],
};

function resolve(
  request: Partial<ExportRequest> = {},
  { epoch, ...options }: Partial<ResolveOptions> & { epoch?: string } = {},
) {
  return resolveExport({
    profile: files,
    tenant: "t",
    registries: [],
    egress: { sealed: false, allow: [] },
    privatePlaces: { files: [], directories: [] },
    ...request,
  }, {
    environment: (name) => name === "SOURCE_DATE_EPOCH" ? epoch : undefined,
    build: { version: "0.1.0", commit: "0".repeat(40), buildDate: "2026-01-01T00:00:00Z" },
    kitFiles: () => [{ path: "kit.txt", bytes: new Uint8Array(1) }],
    now: () => 0,
    ...options,
  });
}

const volumeSize = (text: string) => resolve({ volumeSize: text }).volumeSize;

Deno.test("a request without options gets the profile's options, then the defaults, and is frozen", () => {
  const spec = resolve();
  assert.deepEqual(
    [spec.layout, spec.compression, spec.volumeSize, spec.created, spec.programs, spec.secret],
    ["archive", "zstd", undefined, "newest", [], undefined],
  );
  assert.deepEqual([spec.builtin, spec.providers], [[], []]);
  assert.ok(Object.isFrozen(spec));
  assert.equal(resolve({ compression: "none" }).compression, "none");
});

Deno.test("the time of a bundle is SOURCE_DATE_EPOCH, else the build's for the kit", () => {
  const kit: Profile = { ...files, kind: "kit", sources: [] };
  const build = { version: "0.1.0", commit: "c", buildDate: "unknown" };
  assert.equal(resolve({}, { epoch: "1767225601" }).created, 1_767_225_601);
  assert.equal(resolve({}, { epoch: "" }).created, "newest");
  assert.equal(resolve({ profile: kit }).created, 1_767_225_600);
  assert.equal(resolve({ profile: kit }, { epoch: "5" }).created, 5);
  assert.equal(resolve({ profile: kit }, { build }).created, 315_532_800);
  assert.equal(resolve({ profile: kit }).builtin.length, 1);
  for (const epoch of ["now", "-1", "1.5", "1234567890123"]) {
    assert.throws(() => resolve({}, { epoch }), /it is not a count of seconds/, epoch);
  }
});

Deno.test("an explicit secret overrides the profile's", async () => {
  await withDirectory((root) => {
    const [one, other] = [join(root, "one"), join(root, "other")];
    for (const path of [one, other]) writeNew(path, newSecret(), 0o600);
    const profile = { ...files, secretFile: one };
    const [own, named] = [resolve({ profile }), resolve({ profile, secretFile: other })];
    assert.ok(own.secret !== undefined && named.secret !== undefined);
    assert.notEqual(own.secret.keyid, named.secret.keyid);
  });
});

Deno.test("a directory bundle cannot be cut into volumes", () => {
  const request = { layout: "directory", volumeSize: "8M" } as const;
  assert.throws(
    () => resolve(request),
    /Cannot split the bundle into volumes: its layout is directory/,
  );
  assert.equal(resolve({ layout: "directory" }).volumeSize, undefined);
});

Deno.test("names of profile and tenant are checked before a path is built from them", () => {
  for (const name of ["../x", "a/b", "", "A", "x".repeat(65)]) {
    for (const more of [{ profile: { ...files, name } }, { tenant: name }]) {
      assert.throws(() => resolve(more), { kind: "usage" }, name);
    }
  }
});

Deno.test("volume sizes are parsed with units and refused below two chunks", () => {
  const good: [string, number][] = [
    ["fat32", 4_294_967_295],
    ["8388608", 8_388_608],
    ["8M", 8_388_608],
    ["9MB", 9_000_000],
    ["700MB", 700_000_000],
    ["4G", 4_294_967_296],
    ["4GB", 4_000_000_000],
    ["8192K", 8_388_608],
    ["8389KB", 8_389_000],
  ];
  for (const [text, bytes] of good) assert.equal(volumeSize(text), bytes, text);
  const refused = [
    "",
    "8388607",
    "7M",
    "8MB",
    "0",
    "-8M",
    "8.5M",
    "8 M",
    "8m",
    "8T",
    "8MiB",
    "FAT32",
    "1e9",
    "99999999999G",
    "\u0668M",
  ];
  for (const text of refused) {
    assert.throws(() => volumeSize(text), /Cannot split the archive into volumes of/, text);
  }
});
