import assert from "node:assert/strict";
import { join } from "node:path";
import { FileStore } from "../../../src/store/files/store.ts";
import { requiring, tool } from "../../support/needs.ts";

const id = (n: number) => `01a20c9b-0000-7000-8000-00000000000${n}`;
const of = (n: number, profile = "advisories", tenant = "default") => ({
  tenant,
  profile,
  exportId: id(n),
});

function withStore(body: (store: FileStore, state: string) => void): void {
  const state = Deno.makeTempDirSync({ prefix: "stella-store-" });
  try {
    body(new FileStore(state), state);
  } finally {
    Deno.removeSync(state, { recursive: true });
  }
}

function stage(store: FileStore, n: number, text: string): void {
  Deno.writeTextFileSync(join(store.begin(id(n)), "manifest.json"), text);
}

Deno.test("a bundle is staged separately and published atomically", () => {
  withStore((store, state) => {
    stage(store, 1, "one");
    assert.deepEqual([store.find(of(1)), store.list()], [undefined, []]);
    const place = store.commit(of(1));
    assert.equal(place, join(state, "store/default/advisories", id(1)));
    assert.equal(store.find(of(1)), place);
    assert.equal(Deno.readTextFileSync(join(place, "manifest.json")), "one");
    assert.deepEqual([...Deno.readDirSync(join(state, "tmp"))], []);
  });
});

Deno.test("directories are private whatever the umask", () => {
  const umask = Deno.umask(0);
  try {
    withStore((store, state) => {
      stage(store, 1, "one");
      assert.equal(Deno.statSync(join(state, "tmp")).mode! & 0o777, 0o700);
      store.commit(of(1));
      for (const path of ["store", "store/default", "store/default/advisories"]) {
        assert.equal(Deno.statSync(join(state, path)).mode! & 0o777, 0o700, path);
      }
    });
  } finally {
    Deno.umask(umask);
  }
});

Deno.test("staging starts empty, whatever an earlier attempt left", () => {
  withStore((store) => {
    stage(store, 1, "half");
    assert.deepEqual([...Deno.readDirSync(store.begin(id(1)))], []);
  });
});

Deno.test("storing an export again replaces its bundle and leaves no other files", () => {
  withStore((store, state) => {
    for (const text of ["first", "second"]) {
      stage(store, 1, text);
      const place = store.commit(of(1));
      assert.equal(Deno.readTextFileSync(join(place, "manifest.json")), text);
    }
    assert.equal(store.list().length, 1);
    assert.deepEqual([...Deno.readDirSync(join(state, "tmp"))], []);
  });
});

Deno.test("abandoned and removed transactions leave no files", () => {
  withStore((store, state) => {
    stage(store, 1, "abandoned");
    store.abandon(id(1));
    store.abandon(id(1));
    stage(store, 2, "left by a process that died");
    store.sweep();
    assert.deepEqual([...Deno.readDirSync(join(state, "tmp"))], []);
    assert.throws(() => store.commit(of(1)), {
      message: /Cannot store the bundle in .*: no such file/,
    });
    assert.deepEqual(store.list(), []);
  });
});

Deno.test("lists have tenant, profile and export, and can be filtered", () => {
  withStore((store, state) => {
    const all = [of(1, "a", "lab"), of(3, "a"), of(2, "b"), of(4, "a")];
    for (const bundle of all) {
      store.begin(bundle.exportId);
      store.commit(bundle);
    }
    Deno.mkdirSync(join(state, "store/default/a/lost+found"));
    assert.deepEqual(store.list(), [of(3, "a"), of(4, "a"), of(2, "b"), of(1, "a", "lab")]);
    assert.deepEqual(store.list({ tenant: "lab" }), [of(1, "a", "lab")]);
    assert.deepEqual(store.list({ profile: "b" }), [of(2, "b")]);
    assert.deepEqual(store.list({ tenant: "nobody" }), []);
  });
});

Deno.test("no path is built from an invalid name or id", () => {
  withStore((store, state) => {
    for (const name of ["..", "../x", "a/b", "", "A", "\0", "x".repeat(65)]) {
      const wrong = { ...of(1), tenant: name };
      assert.throws(() => store.path(wrong), { kind: "usage", message: /tenant name/ }, name);
      assert.throws(() => store.list({ tenant: name }), { kind: "usage" }, name);
      assert.throws(
        () => store.find({ ...of(1), profile: name }),
        { message: /profile name/ },
        name,
      );
    }
    for (const exportId of ["..", "x", `${id(1)}/..`, id(1).toUpperCase(), ""]) {
      assert.throws(() => store.begin(exportId), { kind: "usage", message: /export id/ }, exportId);
      assert.throws(() => store.abandon(exportId), { message: /export id/ }, exportId);
    }
    assert.deepEqual([...Deno.readDirSync(state)], []);
  });
});

const program = `
  import { FileStore } from ${
  JSON.stringify(new URL("../../../src/store/files/store.ts", import.meta.url).href)
};
  const store = new FileStore(Deno.args[0]);
  const exportId = ${JSON.stringify(id(1))};
  Deno.writeTextFileSync(store.begin(exportId) + "/manifest.json", "new");
  try {
    store.commit({ tenant: "default", profile: "advisories", exportId });
    console.log("stored");
  } catch (error) {
    console.log(error.reason, error.message);
  }`;

Deno.test(
  requiring(["strace"], "a directory that cannot be synced is an io error", async () => {
    const directory = Deno.makeTempDirSync({ prefix: "stella-store-" });
    try {
      const [script, trace] = [join(directory, "program.ts"), join(directory, "trace")];
      Deno.writeTextFileSync(script, program);
      const printed: string[] = [];
      for (let n = 1; n <= 5; n++) {
        const child = new Deno.Command(tool("strace")!, {
          args: [
            ...["-f", "-qq", "-o", trace, "-e", `inject=fsync:error=EIO:when=${n}`],
            ...[Deno.execPath(), "run", "-A", "--no-check", "--quiet", "--no-config"],
            ...[script, join(directory, `state-${n}`)],
          ],
          env: { DENO_DIR: "/dev/null/none" },
        });
        const { stdout } = await child.output();
        const hit = Deno.readTextFileSync(trace).includes("(INJECTED)");
        printed.push(
          `${hit ? "fault" : "no fault"}: ${new TextDecoder().decode(stdout).slice(0, 6).trim()}`,
        );
      }
      // The directories store, default and advisories into those above them, then the bundle's own
      // name.
      assert.deepEqual(printed, [...Array(4).fill("fault: medium"), "no fault: stored"]);
    } finally {
      Deno.removeSync(directory, { recursive: true });
    }
  }),
);
