/** Output files named by the user: links are not followed, and files of others are not replaced. */
import assert from "node:assert/strict";
import {
  chmodSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { type Home, withHome } from "../support/program.ts";

function test(name: string, body: (home: Home) => Promise<void>): void {
  Deno.test(name, () => withHome(body));
}

const write = ["assets", "write", "to"];

test("assets write follows no link: not the directory, nor one below it, nor a file", async (home) => {
  const at = (name: string) => join(home.path, name);
  const plants: [about: string, plant: () => void][] = [
    ["the directory", () => symlinkSync("elsewhere", at("to"))],
    ["a directory below", () => {
      mkdirSync(at("to"));
      symlinkSync("../elsewhere", at("to/systemd"));
    }],
    ["a file", () => {
      mkdirSync(at("to/systemd"), { recursive: true });
      symlinkSync("../../elsewhere/theirs", at("to/systemd/stella.service"));
    }],
    ["a dangling file", () => {
      mkdirSync(at("to/systemd"), { recursive: true });
      symlinkSync("../../elsewhere/new", at("to/systemd/stella.service"));
    }],
  ];
  for (const [about, plant] of plants) {
    mkdirSync(at("elsewhere"));
    writeFileSync(at("elsewhere/theirs"), "theirs", { mode: 0o600 });
    plant();
    const ran = await home.json(write);
    assert.equal(ran.exit, 14, about);
    assert.match(ran.error.message, /it is a symbolic link/, about);
    assert.deepEqual(readdirSync(at("elsewhere")), ["theirs"], about);
    assert.equal(readFileSync(at("elsewhere/theirs"), "utf8"), "theirs", about);
    assert.equal(statSync(at("elsewhere/theirs")).mode & 0o777, 0o600, about);
    for (const name of ["to", "elsewhere"]) rmSync(at(name), { recursive: true });
  }
});

test("assets write creates files with mode 0644 and keeps the mode and hard links of existing ones", async (home) => {
  const before = Deno.umask(0o077);
  try {
    mkdirSync(join(home.path, "to/systemd"), { recursive: true });
    const unit = join(home.path, "to/systemd/stella.service");
    writeFileSync(unit, "old");
    chmodSync(unit, 0o600);
    linkSync(unit, join(home.path, "theirs"));
    const { files } = await home.json(write);
    for (const file of files as string[]) {
      const { mode } = statSync(join(home.path, file));
      const expected = file === "to/systemd/stella.service" ? 0o600 : 0o644;
      assert.equal(mode & 0o777, expected, file);
    }
    assert.match(readFileSync(unit, "utf8"), /\[Service\]/);
    assert.equal(readFileSync(join(home.path, "theirs"), "utf8"), "old", "its other name stays");
    assert.equal((await home.json(write)).exit, 0, "the same again replaces what it wrote");
  } finally {
    Deno.umask(before);
  }
});

test("--report and --metrics-textfile replace only files that an earlier run wrote", async (home) => {
  await home.succeed(["export", "bundle", "--profile", "kit", "--quiet"]);
  const theirs = {
    "key.pub": readFileSync(join(home.state, "keys/signing.pub"), "utf8"),
    "receipt.json": '{"_type":"https://in-toto.io/Statement/v1"}\n',
    "other.json": '{\n  "command": 5\n}',
    "node.prom": "# HELP node_load1 1m load average.\n",
  };
  for (const [name, content] of Object.entries(theirs)) {
    writeFileSync(join(home.path, name), content);
    for (const option of ["--report", "--metrics-textfile"]) {
      const ran = await home.json(["verify", "out", option, name]);
      assert.equal(ran.exit, 14, `${option} ${name}`);
      assert.match(ran.error.message, /the file is not the (report|metrics) of an earlier run/);
      assert.equal(readFileSync(join(home.path, name), "utf8"), content);
    }
    const link = `link to ${name}`;
    symlinkSync(name, join(home.path, link));
    for (const option of ["--report", "--metrics-textfile", "--receipt"]) {
      const ran = await home.json(["verify", "out", option, link]);
      assert.ok(ran.exit !== 0, `${option} ${link}`);
      assert.equal(readFileSync(join(home.path, name), "utf8"), content);
    }
  }
  symlinkSync("nowhere", join(home.path, "dangling"));
  for (const option of ["--report", "--metrics-textfile", "--receipt"]) {
    assert.ok((await home.json(["verify", "out", option, "dangling"])).exit !== 0, option);
  }
  const out = ["--report", "run.json", "--metrics-textfile", "run.prom"];
  for (let i = 0; i < 2; i++) {
    assert.equal((await home.json(["verify", "out", ...out])).exit, 0);
  }
  const names = readdirSync(home.path).filter((name) => !name.startsWith("link"));
  const expected = [...Object.keys(theirs), "dangling", "out", "run.json", "run.prom", "state"];
  assert.deepEqual(names.sort(), expected.sort());
});

test("keys generate and spans write through no link", async (home) => {
  writeFileSync(join(home.path, "theirs"), "theirs");
  for (const target of ["theirs", "nowhere"]) {
    for (const name of ["new.key", "new.pub"]) {
      symlinkSync(target, join(home.path, name));
      assert.ok((await home.json(["keys", "generate", "--out", "new.key"])).exit !== 0, name);
      rmSync(join(home.path, name));
    }
    symlinkSync(target, join(home.path, "spans"));
    const ran = await home.json(["spans", "--listen", "127.0.0.1:0", "--out", "spans"]);
    assert.equal(ran.exit, 14);
    assert.match(ran.error.message, /"spans": it is a symbolic link/);
    rmSync(join(home.path, "spans"));
  }
  assert.deepEqual(readdirSync(home.path), ["theirs"]);
  assert.equal(readFileSync(join(home.path, "theirs"), "utf8"), "theirs");
});
