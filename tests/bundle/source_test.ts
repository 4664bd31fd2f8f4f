import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { StellaError } from "../../src/domain/errors.ts";
import { directorySource, type ListedEntry, Opener, readSmall } from "../../src/bundle/source.ts";
import { requiring, tool } from "../support/needs.ts";
import { memorySource, withDirectory, writeFiles } from "../support/bundle_fixture.ts";

async function readAll(root: string, path: string): Promise<string | undefined> {
  const bytes = await readSmall(directorySource(root), path, 1000);
  return bytes && new TextDecoder().decode(bytes);
}

function assertUnsafe(run: () => unknown, what: string): void {
  assert.throws(run, (error) => {
    assert.ok(error instanceof StellaError, String(error));
    assert.equal(error.kind, "unsafe");
    assert.ok(error.message.endsWith(`it is ${what}`), error.message);
    return true;
  });
}

Deno.test("a directory source opens regular files and returns undefined for missing ones", async () => {
  await withDirectory(async (root) => {
    writeFiles(root, { "a": "one", "d/b": "two", "empty": "" });
    assert.equal(await readAll(root, "a"), "one");
    assert.equal(await readAll(root, "d/b"), "two");
    assert.equal(await readAll(root, "empty"), "");
    for (const absent of ["x", "d/x", "x/y", "a/b"]) {
      assert.equal(await readAll(root, absent), undefined, absent);
    }
  });
});

Deno.test("links and directories are refused at any position of the path", async () => {
  await withDirectory((root) => {
    writeFiles(root, { "in/file": "inside", "out/secret": "secret" });
    symlinkSync("file", join(root, "in/link"));
    symlinkSync("../out", join(root, "in/folder"));
    symlinkSync("/nowhere", join(root, "in/dangling"));
    symlinkSync(".", join(root, "in/self"));
    for (const path of ["link", "dangling", "folder", "folder/secret", "self/file"]) {
      assertUnsafe(() => new Opener(join(root, "in")).open(path), "a symbolic link");
    }
    assertUnsafe(() => new Opener(root).open("in"), "a directory");
  });
});

Deno.test(requiring(["mkfifo"], "a pipe is refused without being opened", async () => {
  await withDirectory((root) => {
    new Deno.Command("mkfifo", { args: [join(root, "pipe")] }).outputSync();
    assertUnsafe(() => new Opener(root).open("pipe"), "a device, pipe or socket");
    assertUnsafe(() => new Opener("/dev").open("null"), "a device, pipe or socket");
  });
}));

Deno.test("a link is refused under scoped permissions, too, where O_NOFOLLOW does not help", async () => {
  // Not in /dev/shm: below /dev Deno asks for all permissions.
  await withDirectory(async (root) => {
    writeFiles(root, { "in/file": "inside", "out/secret": "secret" });
    symlinkSync("../out/secret", join(root, "in/link"));
    const source = fileURLToPath(new URL("../../src", import.meta.url));
    const child = (path: string) =>
      new Deno.Command(Deno.execPath(), {
        args: [
          "run",
          "--no-prompt",
          "--no-config",
          "--no-lock",
          "--no-check",
          `--allow-read=${join(root, "in")},${source}`,
          fileURLToPath(new URL("link_probe.ts", import.meta.url)),
          join(root, "in"),
          path,
        ],
      }).output();
    const [good, link] = await Promise.all([child("file"), child("link")]);
    assert.equal(new TextDecoder().decode(good.stdout), "read inside");
    assert.match(new TextDecoder().decode(link.stdout), /it is a symbolic link$/);
  }, tmpdir());
});

async function walked(root: string, directory = "payload"): Promise<ListedEntry[]> {
  const found = await Array.fromAsync(directorySource(root).walk!(directory));
  return found.sort((a, b) => a.path < b.path ? -1 : 1);
}

Deno.test("walk lists every file below a directory and reports everything else", async () => {
  await withDirectory(async (root) => {
    writeFiles(root, { "payload/a": "", "payload/d/e/f": "", "other": "", "payload/.hidden": "" });
    symlinkSync("/etc", join(root, "payload/d/link"));
    assert.deepEqual(await walked(root), [
      { path: "payload/.hidden" },
      { path: "payload/a" },
      { path: "payload/d/e/f" },
      { path: "payload/d/link", fault: "a symbolic link" },
    ]);
  });
});

Deno.test("walk finds nothing in a missing directory and follows no link", async () => {
  await withDirectory(async (root) => {
    assert.deepEqual(await walked(root), []);
    symlinkSync("/etc", join(root, "payload"));
    assert.deepEqual(await walked(root), [{ path: "payload", fault: "a symbolic link" }]);
    writeFileSync(join(root, "file"), "");
    assert.deepEqual(await walked(root, "file"), [{
      path: "file",
      fault: "a file in place of a directory",
    }]);
  });
});

Deno.test("walk reports names that are not UTF-8, of files and of directories", async () => {
  await withDirectory(async (root) => {
    mkdirSync(join(root, "payload"));
    // A shell can create names that a JavaScript string cannot hold.
    const made = new Deno.Command("sh", {
      args: ["-ec", "touch \"$(printf 'f\\377')\"; mkdir \"$(printf 'd\\377')\""],
      cwd: join(root, "payload"),
    }).outputSync();
    assert.ok(made.success, new TextDecoder().decode(made.stderr));
    const fault = "something whose name is not UTF-8";
    assert.deepEqual(await walked(root), [
      { path: "payload/d\ufffd", fault },
      { path: "payload/f\ufffd", fault },
    ]);
  });
});

Deno.test("readSmall reads up to its limit and refuses larger files with the given code", async () => {
  const source = memorySource(new Map([["f", new Uint8Array(10).fill(1)]]));
  assert.equal((await readSmall(source, "f", 10))!.length, 10);
  assert.equal(await readSmall(source, "g", 10), undefined);
  await assert.rejects(
    async () => await readSmall(source, "f", 9),
    (error: StellaError) => error.kind === "manifest" && /more than 9 bytes/.test(error.message),
  );
  await assert.rejects(
    async () => await readSmall(source, "f", 9, "malformed"),
    (error: StellaError) => error.kind === "signature",
  );
});

Deno.test("a reader fills its buffer until the end of the file, and an I/O error is code 12", async () => {
  await withDirectory((root) => {
    writeFileSync(join(root, "f"), "0123456789");
    const reader = new Opener(root).open("f")!;
    assert.equal(reader.size, 10);
    const buffer = new Uint8Array(7);
    assert.deepEqual([reader.read(buffer), reader.read(buffer), reader.read(buffer)], [7, 3, 0]);
    reader.close();
    reader.close();
    assert.throws(() => reader.read(buffer), (error: StellaError) => {
      return error.kind === "io" && /no verdict on the content/.test(error.hint ?? "");
    });
  });
});

Deno.test("a file that shrinks while it is read is an I/O error, and one that grows is not", async () => {
  await withDirectory((root) => {
    const path = join(root, "a");
    for (const read of [0, 4, 9]) {
      writeFileSync(path, "123456789");
      const reader = new Opener(root).open("a")!;
      if (read > 0) reader.read(new Uint8Array(read));
      truncateSync(path, 2);
      const shrunk = () => reader.read(new Uint8Array(9));
      if (read === 9) assert.equal(shrunk(), 0, "all had been read");
      else {
        assert.throws(shrunk, { kind: "io", message: /of the 9 bytes that it had when it was/ });
      }
      reader.close();
    }
    const grown = new Opener(root).open("a")!;
    writeFileSync(path, "123456789");
    assert.deepEqual([grown.size, grown.read(new Uint8Array(99))], [2, 9]);
    grown.close();
    return Promise.resolve();
  });
});

Deno.test(requiring(
  ["mkfifo"],
  "a file that is replaced by a pipe is refused without blocking",
  async () => {
    for (
      const [way, printed] of [["open", /it changed while it was opened/], [
        "digest",
        /ended after 0/,
      ]]
    ) {
      await withDirectory(async (root) => {
        writeFiles(root, { "file": "content" });
        assert.equal(spawnSync(tool("mkfifo")!, [join(root, "pipe")]).status, 0);
        const probe = fileURLToPath(new URL("pipe_probe.ts", import.meta.url));
        const child = new Deno.Command(Deno.execPath(), {
          args: ["run", "-A", "--no-check", "-q", probe, root, way as string],
          stdout: "piped",
        }).spawn();
        // Without a writer the pipe would never open: a child that blocks is killed before it
        // prints anything.
        const ended = setTimeout(() => child.kill("SIGKILL"), 60_000);
        const { stdout } = await child.output();
        clearTimeout(ended);
        assert.match(new TextDecoder().decode(stdout), printed as RegExp);
      });
    }
  },
));
