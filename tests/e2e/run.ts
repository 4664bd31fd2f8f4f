/**
 * `deno task e2e [--form source|portable|compiled | --binary PATH] [--soak | --differing]`: the
 * tests that drive the program as a user does (acceptance, README, end to end; with --soak those
 * that take minutes; with --differing only those whose result may differ from form to form). A form
 * is built first; without one the program runs from its source. Where the compiled form cannot be
 * built here, its tests are skipped: the last line says so and why.
 *
 * Two files run at a time: many tests wait for a service, an alert or a schedule, and need no
 * processor meanwhile.
 */
import { resolve } from "node:path";
import { assertDenort } from "../../src/build/denort.ts";
import { messageOf, StellaError } from "../../src/domain/errors.ts";
import { denortPath, obtainDenort, Unavailable } from "../support/denort.ts";

const forms = ["source", "portable", "compiled"] as const;
type Form = typeof forms[number];

const build = new URL("../../src/build/build.ts", import.meta.url).pathname;
const built = new URL("../../dist/stella", import.meta.url).pathname;
const readme = "tests/readme_test.ts";
const suites = ["tests/acceptance", "tests/e2e"];
/**
 * Skipped with --differing, because the code that they test is the same in every form: metrics and
 * alerts, registries, sources, tenants, and the format of a bundle. All others run on each form.
 */
const sameInEveryForm = [
  "acceptance/alerts",
  "acceptance/dashboards",
  "acceptance/evidence",
  "acceptance/logs_and_traces",
  "acceptance/metrics",
  "acceptance/offline_verification",
  "acceptance/risk_bundles",
  "acceptance/site",
  "e2e/alerts",
  "e2e/cosign",
  "e2e/docker_login",
  "e2e/exchange",
  "e2e/export_inputs",
  "e2e/fetch",
  "e2e/golden_bundles",
  "e2e/log",
  "e2e/peers",
  "e2e/prometheus",
  "e2e/push_program",
  "e2e/real_data",
  "e2e/registry_service",
  "e2e/risk",
  "e2e/sticks",
  "e2e/targets",
  "e2e/tenants",
].map((name) => `tests/${name}_test.ts`);

/** The value of an option, which is taken out of `args`. */
function take(args: string[], option: string): string | undefined {
  const at = args.indexOf(option);
  if (at < 0) return undefined;
  const [, value] = args.splice(at, 2);
  if (value === undefined) throw new Error(`${option} needs a value`);
  return value;
}

async function deno(args: string[], env: Record<string, string> = {}): Promise<number> {
  const output = { stdin: "null", stdout: "inherit", stderr: "inherit" } as const;
  const child = new Deno.Command(Deno.execPath(), { args, env, ...output }).spawn();
  return (await child.status).code;
}

/** @returns the path of the binary, undefined for the source */
async function binaryOf(form: Form): Promise<string | undefined> {
  if (form === "source") return undefined;
  const { args, env } = form === "compiled"
    ? await compiler()
    : { args: ["portable"], env: {} as Record<string, string> };
  const code = await deno(["run", "-A", build, ...args], env);
  if (code !== 0) throw new Error(`Cannot build the form ${form}: the build ended with ${code}`);
  return built;
}

/**
 * How the build gets denort: the one that it finds itself, else the one for tests.
 * @throws Unavailable without either
 */
async function compiler(): Promise<{ args: string[]; env: Record<string, string> }> {
  try {
    await assertDenort();
    return { args: ["compile"], env: {} };
  } catch (error) {
    if (!(error instanceof StellaError) || Deno.env.get("DENORT_BIN")) throw error;
  }
  await obtainDenort();
  return { args: ["compile", "--allow-other-denort"], env: { DENORT_BIN: denortPath } };
}

function testsIn(folder: string): string[] {
  return [...Deno.readDirSync(folder)].map(({ name }) => `${folder}/${name}`)
    .filter((path) => path.endsWith("_test.ts")).sort();
}

async function test(binary: string | undefined, rest: string[]): Promise<number> {
  const folders = rest.includes("--soak") ? [...suites, "tests/soak"] : suites;
  const left = rest.includes("--differing") ? sameInEveryForm : [];
  // A name without a file would skip nothing.
  for (const path of left) Deno.statSync(path);
  // Not by --ignore: deno ignores files of the first folder alone.
  const files = folders.flatMap(testsIn).filter((path) => !left.includes(path));
  const flags = rest.filter((one) => one !== "--soak" && one !== "--differing");
  const args = ["test", "-A", "--no-check", "--parallel", readme, ...files, ...flags];
  const env = { DENO_JOBS: "2", ...binary === undefined ? {} : { STELLA_BINARY: binary } };
  return await deno(args, env);
}

const rest = [...Deno.args];
const [path, form = "source"] = [take(rest, "--binary"), take(rest, "--form") as Form | undefined];
if (!forms.includes(form)) throw new Error(`--form is one of ${forms.join(", ")}`);
try {
  Deno.exit(await test(path === undefined ? await binaryOf(form) : resolve(path), rest));
} catch (error) {
  if (!(error instanceof Unavailable)) throw error;
  const line = `skipped: e2e --form ${form}: denort cannot be had: ${messageOf(error)}\n`;
  Deno.stdout.writeSync(new TextEncoder().encode(line));
}
