/**
 * A bundle from a pipe: what `verify -` calls verified is what `tar -x` of the same stream leaves,
 * and a stream with a million unlisted entries ends with a verdict, in bounded memory.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { lstatSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { sha256 } from "../../src/domain/hash.ts";
import { attestationName, hmacName, indexName, manifestName } from "../../src/bundle/manifest.ts";
import { encodeHeader } from "../../src/bundle/tar_header.ts";
import { type Entry, order, streamOf } from "../support/bundle_stream.ts";
import { requiring, tool } from "../support/needs.ts";
import { Home, programWords } from "../support/program.ts";

interface Exported {
  home: Home;
  files: Map<string, Uint8Array>;
  /** The stream's entries as the service writes them. */
  entries: Entry[];
  mtime: number;
}

async function withBundle(body: (made: Exported) => Promise<void>): Promise<void> {
  const home = new Home();
  try {
    await home.succeed(["export", "bundle", "--profile", "kit", "--manifest", "b/manifest.json"]);
    const files = new Map(
      readdirSync(join(home.path, "b")).map((name): [string, Uint8Array] => [
        name,
        readFileSync(join(home.path, "b", name)),
      ]),
    );
    const manifest = JSON.parse(new TextDecoder().decode(files.get(manifestName)));
    const mtime = Date.parse(manifest.created) / 1000;
    const isProgram = (path: string) =>
      manifest.files.some((file: { path: string; executable?: true }) =>
        file.path === path && file.executable
      );
    const entries = order({ files }).map((path) => ({
      path,
      mtime,
      mode: isProgram(path) ? 0o755 : 0o644,
    }));
    await body({ home, files, entries, mtime });
  } finally {
    home.remove();
  }
}

/** Each file that `tar -x` leaves, with content, mode and time. */
function extracted(home: Home, stream: Uint8Array): Record<string, string> {
  const to = join(home.path, "extracted");
  mkdirSync(to);
  try {
    const args = ["-x", "-p", "-C", to, "-f", "-"];
    const { status, stderr } = spawnSync(tool("tar")!, args, { input: stream });
    assert.equal(status, 0, String(stderr));
    return Object.fromEntries(
      readdirSync(to).sort().map((name) => {
        const { mode, mtimeMs } = lstatSync(join(to, name));
        const content = sha256(readFileSync(join(to, name)));
        return [name, `${content} ${(mode & 0o7777).toString(8)} ${mtimeMs / 1000}`];
      }),
    );
  } finally {
    Deno.removeSync(to, { recursive: true });
  }
}

Deno.test(requiring(
  ["tar"],
  "verify - accepts a stream only if tar extracts exactly the verified files, else it is code 8",
  () =>
    withBundle(async ({ home, files, entries, mtime }) => {
      const right = Object.fromEntries(entries.map(({ path, mode }) => [
        path,
        `${sha256(files.get(path)!)} ${mode!.toString(8)} ${mtime}`,
      ]));
      const evil = new TextEncoder().encode("evil\n");
      const added = (path: string, content = evil) => [...entries, { path, content, mtime }];
      const changed = (path: string, change: Partial<Entry>) =>
        entries.map((entry) => entry.path === path ? { ...entry, ...change } : entry);
      const rows: [string, Entry[]][] = [
        ["a second manifest", added(manifestName)],
        ["a second attestation", added(attestationName)],
        ["a second index", added(indexName)],
        ["a second archive", added("kit.tar.zst")],
        ["a large second index", added(indexName, new Uint8Array(8 * 1024 * 1024))],
        ["a second manifest before the first archive", [
          ...entries.slice(0, 3),
          { path: manifestName, content: evil, mtime },
          ...entries.slice(3),
        ]],
        ["an envelope at the end", added(hmacName)],
        ["an envelope of nothing at its place", [
          ...entries.slice(0, 2),
          { path: hmacName, content: evil, mtime },
          ...entries.slice(2),
        ]],
        ["a set-user-id script", changed("verify.sh", { mode: 0o6777 })],
        ["a manifest that nobody may read", changed(manifestName, { mode: 0 })],
        ["an index of another time", changed(indexName, { mtime: mtime + 1 })],
      ];
      const whole = await streamOf({ files }, entries);
      assert.deepEqual(extracted(home, whole), right);
      await home.succeed(["verify", "-"], { stdin: whole });
      for (const [about, list] of rows) {
        const stream = await streamOf({ files }, list);
        assert.notDeepEqual(extracted(home, stream), right, about);
        const { code, stdout } = await home.stella(["verify", "-"], { stdin: stream });
        assert.equal(code, 8, `${about}: ${stdout}`);
        const unpack = ["export", "bundle", "unpack", "--manifest", "-", "--to", "to"];
        assert.equal((await home.stella(unpack, { stdin: stream })).code, 8, about);
        assert.deepEqual(readdirSync(home.path).sort(), ["b", "state"], about);
      }
    }),
));

const flood = 1_000_000;
const mostMemory = 200 * 1024;

/** Headers of empty files that no manifest lists, a thousand at a time. */
function* foreign(mtime: number): Generator<Uint8Array> {
  for (let at = 0; at < flood; at += 1_000) {
    const piece = new Uint8Array(512 * 1_000);
    for (let i = 0; i < 1_000; i++) {
      const path = `zz-${at + i}-${"x".repeat(80)}`;
      piece.set(encodeHeader({ path, size: 0, mode: 0o644, mtime }), 512 * i);
    }
    yield piece;
  }
}

Deno.test(requiring(
  { others: { Linux: Deno.build.os === "linux" } },
  "a million unlisted entries in a stream end with code 8 in less than 200 MiB",
  () =>
    withBundle(async ({ home, files, entries, mtime }) => {
      const whole = await streamOf({ files }, entries);
      const [command, ...words] = programWords();
      const child = new Deno.Command(command, {
        args: [...words, "verify", "-", "--json"],
        cwd: home.path,
        env: home.environment(),
        clearEnv: true,
        stdin: "piped",
        stdout: "piped",
        stderr: "null",
      }).spawn();
      const output = new Response(child.stdout).text();
      const writer = child.stdin.getWriter();
      await writer.write(whole.subarray(0, -1024));
      for (const piece of foreign(mtime)) await writer.write(piece);
      // It waits for the end of the stream: everything was read except what the pipe buffers.
      const status = readFileSync(`/proc/${child.pid}/status`, "utf8");
      await writer.write(new Uint8Array(1024));
      await writer.close();
      const verdict = JSON.parse(await output);
      assert.equal((await child.status).code, 8);
      assert.match(verdict.findings.at(-1).found, /^990000 more findings/);
      assert.ok(verdict.findings.length < 10_010, `${verdict.findings.length} findings`);
      const peak = Number(/VmHWM:\s+(\d+)/.exec(status)?.[1]);
      assert.ok(peak < mostMemory, `${peak} KiB`);
    }),
));
