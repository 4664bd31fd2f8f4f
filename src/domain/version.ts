/**
 * Version, commit, build date and form of this stella. The build writes one line at the start of
 * dist/stella.js that sets `STELLA_BUILD`; from source the commit is read from .git.
 */
import project from "../../deno.json" with { type: "json" };

export const version = project.version;

export type Form = "source" | "script" | "compiled" | "portable";

export interface Build {
  version: string;
  /** 40 hex digits, or `unknown`. */
  commit: string;
  /** RFC 3339, seconds: the time of the commit, so that builds are reproducible. */
  buildDate: string;
  form: Form;
}

function commitFromGit(): string {
  try {
    const git = new URL("../../.git/", import.meta.url);
    const head = Deno.readTextFileSync(new URL("HEAD", git)).trim();
    const ref = head.startsWith("ref: ") ? head.slice(5) : undefined;
    const commit = ref === undefined ? head : readRef(git, ref);
    return /^[0-9a-f]{40}$/.test(commit) ? commit : "unknown";
  } catch {
    return "unknown";
  }
}

function readRef(git: URL, ref: string): string {
  try {
    return Deno.readTextFileSync(new URL(ref, git)).trim();
  } catch {
    const packed = Deno.readTextFileSync(new URL("packed-refs", git));
    return packed.split("\n").find((line) => line.endsWith(` ${ref}`))?.slice(0, 40) ?? "";
  }
}

function form(stamped: boolean): Form {
  if (Deno.build.standalone) return "compiled";
  if (!stamped) return "source";
  // Under the launcher the executable is Deno's; elsewhere the variable comes from outside.
  return Deno.env.get("STELLA_SELF") === Deno.execPath() ? "portable" : "script";
}

let cached: Build | undefined;

/** Facts about the running program, computed once. */
export function build(): Build {
  type Stamped = { STELLA_BUILD?: { commit: string; date: string } };
  const stamped = (globalThis as Stamped).STELLA_BUILD;
  return cached ??= {
    version,
    commit: stamped?.commit ?? commitFromGit(),
    buildDate: stamped?.date ?? "unknown",
    form: form(stamped !== undefined),
  };
}

/** Path of the single executable, or undefined when running from source or as a script. */
export function programPath(): string | undefined {
  const { form } = build();
  if (form === "compiled") return Deno.execPath();
  return form === "portable" ? Deno.env.get("STELLA_SELF") : undefined;
}
