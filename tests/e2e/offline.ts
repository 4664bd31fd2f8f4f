/**
 * Runs in a network namespace that has only a loopback interface. `deno task ci:offline [ARGUMENTS
 * OF deno test]` builds and tests there from a cache that was filled before; `deno task
 * sealed-smoke` exports, verifies, serves and asks for health there, with the program from its
 * source or the binary that STELLA_BINARY names.
 */
import { fileURLToPath } from "node:url";
import { tool } from "../support/needs.ts";
import { Home, root, type Service } from "../support/program.ts";

const self = fileURLToPath(import.meta.url);
const [what = "", ...rest] = Deno.args;
const isInside = rest[0] === "inside";
/** Of `deno test`: flags, and the tests that are run, where not all of `deno task test` are. */
const passed = rest.slice(isInside ? 1 : 0);

/** Runs a command line with this terminal. @returns the exit code */
async function run(words: string[], env: Record<string, string> = {}): Promise<number> {
  const [command, ...args] = words;
  const child = new Deno.Command(command!, {
    args,
    cwd: root,
    env: { OTEL_DENO: "false", NO_COLOR: "1", ...env },
    stdin: "null",
    stdout: "inherit",
    stderr: "inherit",
  });
  return (await child.spawn().status).code;
}

async function must(words: string[], env: Record<string, string> = {}): Promise<void> {
  const code = await run(words, env);
  if (code !== 0) throw new Error(`${words.join(" ")} ended with ${code}`);
}

/** Fills the cache, then starts this file again where there is no network. */
async function outside(): Promise<number> {
  const [unshare, ip] = [tool("unshare"), tool("ip")];
  if (unshare === undefined || ip === undefined) {
    throw new Error("needs unshare (util-linux) and ip (iproute2)");
  }
  await must([Deno.execPath(), "cache", "--quiet", "--frozen", "main.ts", ...testFiles()]);
  // The bundler fetches its own engine the first time it runs.
  if (what === "ci") await must([Deno.execPath(), "task", "build:js"]);
  // A user namespace lets other users than root create a network namespace.
  const user = Deno.uid() === 0 ? [] : ["-r"];
  const again = [Deno.execPath(), "run", "-A", "--quiet", "--cached-only", "--frozen", self];
  const script = `"${ip}" link set lo up && exec "$@"`;
  return await run([
    unshare,
    ...user,
    "-n",
    "sh",
    "-c",
    script,
    "sh",
    ...again,
    what,
    "inside",
    ...passed,
  ]);
}

function testFiles(folder = "tests"): string[] {
  return [...Deno.readDirSync(`${root}/${folder}`)].flatMap(({ name, isDirectory }) => {
    const path = `${folder}/${name}`;
    if (isDirectory) return name === "fixtures" ? [] : testFiles(path);
    return name.endsWith("_test.ts") ? [path] : [];
  });
}

/** Proves first that no other host is reachable; an address needs no resolver. */
async function proveSealed(): Promise<void> {
  // An address reserved for documentation, which is never assigned.
  try {
    (await Deno.connect({ hostname: "192.0.2.1", port: 443 })).close();
  } catch (error) {
    if (/unreachable/i.test(String(error))) return;
    throw error;
  }
  throw new Error("There is a way out: this is no sealed place");
}

async function buildAndTest(): Promise<void> {
  await must([Deno.execPath(), "check", "--quiet", "main.ts"]);
  await must([Deno.execPath(), "task", "build:js"]);
  const flags = ["--cached-only", "--frozen", ...passed];
  const isAll = passed.every((one) => one.startsWith("-"));
  const command = isAll ? ["task", "test"] : ["test", "-A", "--no-check"];
  await must([Deno.execPath(), ...command, ...flags]);
}

async function smoke(): Promise<void> {
  const home = new Home();
  try {
    const config = `${home.path}/sealed.yaml`;
    Deno.writeTextFileSync(config, "version: 1\negress: { sealed: true }\n");
    const bundle = ["export", "bundle"];
    const manifest = ["--manifest", "out/manifest.json"];
    await home.succeed([...bundle, "--profile", "kit", "--config", config, ...manifest]);
    await home.succeed([...bundle, "verify", ...manifest]);
    await home.succeed(["config", "check", "--config", config]);
    const service = await home.serve(["--config", config]);
    try {
      await askService(home, service, manifest);
    } finally {
      await service.stop();
    }
    if (!service.log.includes("service.stopped")) throw new Error(`It failed:\n${service.log}`);
  } finally {
    home.remove();
  }
}

async function askService(home: Home, service: Service, manifest: string[]): Promise<void> {
  await home.succeed(["health", "--url", service.url]);
  await home.succeed(["status", "--url", service.url, ...manifest]);
  const { features, egress } = await service.get("/status");
  if (!features.sealed || egress.refused !== 0) throw new Error("The status is not sealed");
  const job = await service.export({ profile: "kit" });
  if (job.state !== "succeeded") throw new Error(`The export ${JSON.stringify(job)}`);
  await home.succeed(["timeline", "--url", service.url, "--export", job.id]);
}

if (!isInside) Deno.exit(await outside());
await proveSealed();
if (what === "ci") await buildAndTest();
else if (what === "smoke") await smoke();
else throw new Error("offline.ts ci|smoke");
await Deno.stdout.write(new TextEncoder().encode(`${what}: all of it without a network\n`));
