import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readRegular } from "../../src/domain/regular_file.ts";
import { withDirectory } from "../support/bundle_fixture.ts";
import { requiring, tool } from "../support/needs.ts";

Deno.test(
  requiring(["mkfifo"], "a path that is not a small regular file is an error", async () => {
    await withDirectory((root) => {
      mkdirSync(join(root, "directory"));
      writeFileSync(join(root, "large"), "four5");
      assert.equal(spawnSync(tool("mkfifo")!, [join(root, "pipe")]).status, 0);
      const faults = {
        directory: /it is a directory/,
        large: /more than 4 bytes/,
        pipe: /not a regular/,
      };
      for (const [name, message] of Object.entries(faults)) {
        const read = () => readRegular("Cannot read the key", join(root, name), 4);
        assert.throws(read, { kind: "io", reason: "path_unusable", message }, name);
      }
      writeFileSync(join(root, "small"), "four");
      assert.equal(readRegular("Cannot read the key", join(root, "small"), 4).length, 4);
    });
  }),
);
