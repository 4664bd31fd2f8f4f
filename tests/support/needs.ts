/**
 * Tests that need a tool of the system. Where the tool is absent the test skips by name and `ok` or `.ci/run` count it;
 * with STELLA_TEST_REQUIRE=all (continuous integration, after it has installed them) an absent tool is a failure.
 */
import { existsSync } from "node:fs";

const folders = ["/usr/local/bin", "/usr/bin", "/bin", "/usr/local/sbin", "/usr/sbin", "/sbin"];

/** The path of a tool, or undefined. */
export function tool(name: string): string | undefined {
  return folders.map((folder) => `${folder}/${name}`).find((path) => existsSync(path));
}

const required = Deno.env.get("STELLA_TEST_REQUIRE") === "all";

/** Registers a test that runs only where all `tools` are; elsewhere it counts as ignored, or fails when all are required. */
export function testWith(
  tools: string[],
  name: string,
  body: (t: Deno.TestContext) => void | Promise<void>,
): void {
  const absent = tools.filter((one) => tool(one) === undefined).join(", ");
  testWhere(absent === "", absent, name, body);
}

/** The same for what is no tool: `need` says what is absent where `isThere` is false. */
export function testWhere(
  isThere: boolean,
  need: string,
  name: string,
  body: (t: Deno.TestContext) => void | Promise<void>,
): void {
  Deno.test({
    name: isThere ? name : `${name} (needs ${need})`,
    ignore: !isThere && !required,
    fn: (t) => {
      if (!isThere) throw new Error(`Cannot run the test: ${need} is not there`);
      return body(t);
    },
  });
}
