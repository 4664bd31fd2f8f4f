import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { assets } from "../../src/assets/assets.ts";
import { hostileNames } from "../../src/config/permissions.ts";
import { units } from "../../src/assets/units.ts";
import { build, type Form } from "../../src/domain/version.ts";
import { requiring, tool } from "../support/needs.ts";

const root = new URL("../../", import.meta.url);
const sources = new URL("src/assets/systemd/", root);

Deno.test("assets are sorted by the bytes of their paths and have no duplicates", () => {
  const paths = assets().map(({ path }) => path);
  assert.deepEqual(
    paths,
    [...new Set(paths)].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))),
  );
});

Deno.test("assets are byte-identical to their source files", () => {
  for (const { path, bytes, kind } of assets()) {
    if (kind === "sbom") continue;
    const source = kind === "unit"
      ? new URL(path.replace("systemd/", ""), sources)
      : new URL(path, root);
    assert.ok(readFileSync(source).equals(bytes), path);
  }
});

Deno.test("assets contain one reproducible SBOM of this build", () => {
  const sbom = () =>
    assets().filter(({ kind }) => kind === "sbom").map(({ bytes }) =>
      Buffer.from(bytes).toString()
    );
  const [text = "", ...others] = sbom();
  assert.deepEqual([others, sbom()], [[], [text]]);
  const { metadata } = JSON.parse(text);
  assert.equal(metadata.component.version, build().version);
  assert.equal(metadata.component.properties[0].value, build().commit);
});

/**
 * The units that a binary of each form writes; from source, units that every form can run under.
 */
const forms = ["compiled", "portable"] as const;

/** Runs systemd-analyze on the units of a form. @returns its output for each */
function analyze(form: typeof forms[number], ...args: string[]): Map<string, string> {
  const directory = Deno.makeTempDirSync({ prefix: "stella-units-" });
  try {
    return new Map(
      Object.entries(units(form)).map(([name, text]) => {
        Deno.writeTextFileSync(join(directory, name), text);
        const words = [...args, join(directory, name)];
        const { stdout, stderr } = spawnSync(tool("systemd-analyze") ?? "", words);
        return [name, `${stdout}${stderr}`.replaceAll(`${directory}/`, "")];
      }),
    );
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
}

/** The exposure level of systemd-analyze; lower is better. */
const exposure: Record<string, number> = { "stella.service": 1.0, "stella-verify@.service": 0.3 };

for (const form of forms) {
  Deno.test(requiring(
    ["systemd-analyze"],
    `the units of the ${form} form have exposure levels of at most 1.0 and 0.3`,
    () => {
      const printed = analyze(form, "security", "--offline=true", "--no-pager");
      for (const [name, max] of Object.entries(exposure)) {
        const level = /Overall exposure level for \S+: ([\d.]+)/.exec(printed.get(name) ?? "")?.[1];
        assert.ok(level !== undefined, printed.get(name));
        assert.ok(Number(level) <= max, `${name}: the level is ${level}`);
      }
    },
  ));

  Deno.test(requiring(
    ["systemd-analyze"],
    `systemd-analyze accepts every line of the ${form} form's units`,
    () => {
      // The only permitted complaint: the program is not installed on this machine.
      const known = /^$|Command \/usr\/local\/bin\/stella is not executable/;
      for (const [name, printed] of analyze(form, "verify", "--man=no")) {
        assert.deepEqual(printed.split("\n").filter((line) => !known.test(line)), [], name);
      }
    },
  ));
}

Deno.test("only the portable form runs with MemoryDenyWriteExecute", () => {
  const printed = (form: Form) =>
    /^MemoryDenyWriteExecute=(.*)$/m.exec(units(form)["stella-verify@.service"]!)?.[1];
  const all = ["compiled", "portable", "script", "source"] as const;
  assert.deepEqual(all.map(printed), ["no", "yes", "no", "no"]);
});

/**
 * Variables that denort and glibc's loader (ld.so(8)) obey before the program's first line, so that
 * the program cannot refuse them.
 */
const beforeFirstLine = [
  ..."LOG TOKIO_EVENT_INTERVAL TOKIO_GLOBAL_QUEUE_INTERVAL TOKIO_MAX_IO_EVENTS_PER_TICK".split(" "),
  ..."TOKIO_METRICS TOKIO_METRICS_INTERVAL".split(" "),
].map((name) => `DENO_${name}`).concat(
  "GLIBC_TUNABLES",
  "NODE_CHANNEL_FD",
  [
    ..."ASSUME_KERNEL AUDIT BIND_NOT BIND_NOW DEBUG DEBUG_OUTPUT DYNAMIC_WEAK HWCAP_MASK".split(
      " ",
    ),
    ..."LIBRARY_PATH ORIGIN_PATH POINTER_GUARD PREFER_MAP_32BIT_EXEC PRELOAD PROFILE".split(" "),
    ..."PROFILE_OUTPUT SHOW_AUXV TRACE_LOADED_OBJECTS USE_LOAD_BIAS VERBOSE WARN".split(" "),
  ].map((name) => `LD_${name}`),
);

Deno.test("the units unset the variables that bypass the program's permissions or act before it starts", () => {
  for (const [name, text] of forms.flatMap((form) => Object.entries(units(form)))) {
    const lines = text.matchAll(/^UnsetEnvironment=(.*)$/gm);
    const unset = [...lines].flatMap((found) => found[1]!.split(" ")).sort();
    assert.deepEqual(unset, [...hostileNames, ...beforeFirstLine].sort(), name);
    assert.doesNotMatch(text, /^Environment=/m);
  }
});

Deno.test("the unit has the settings that the service needs to start and stop cleanly", () => {
  const unit = units("compiled")["stella.service"]!;
  const needed = ["Type=notify", "NotifyAccess=main", "WatchdogSec=60", "StateDirectory=stella"];
  for (const line of needed) assert.ok(unit.includes(`\n${line}\n`), line);
  // Longer than the service waits for a running export.
  assert.ok(Number(/^TimeoutStopSec=(\d+)$/m.exec(unit)?.[1]) > 60);
  assert.match(unit, /^RestrictAddressFamilies=.*\bAF_UNIX\b/m);
});
