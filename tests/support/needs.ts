/**
 * What a test needs from the machine. Where something is absent the test is ignored, and its name
 * says what it needs. With STELLA_TEST_REQUIRE=all (continuous integration, which has installed
 * them) an absent tool is a failure, so that nothing goes untested unseen.
 */
import { existsSync } from "node:fs";

export interface Needs {
  /** Programs that Debian has packages of. */
  tools?: string[];
  /**
   * What cannot be installed: properties of the machine, peers that are built by Go, data beside
   * the checkout. The words for it, and whether it is there; it is never required.
   */
  others?: Record<string, boolean>;
}

export type TestBody = (t: Deno.TestContext) => void | Promise<void>;

/**
 * Whether tests that repeat one thing do so in full (continuous integration) or only as often as
 * shows that it works (`deno task test`).
 */
export const isLong = Deno.env.get("STELLA_TEST_LONG") !== undefined;

export const isRoot = { root: Deno.uid() === 0 };

const isRequired = Deno.env.get("STELLA_TEST_REQUIRE") === "all";

const folders = ["/usr/local/bin", "/usr/bin", "/bin", "/usr/local/sbin", "/usr/sbin", "/sbin"];

/** The path of a tool, or undefined. */
export function tool(name: string): string | undefined {
  return folders.map((folder) => `${folder}/${name}`).find((path) => existsSync(path));
}

/**
 * A definition for Deno.test, which is called where the test stands, so that reports name its file.
 * Ignored where something that it needs is absent. A list names tools.
 */
export function requiring(
  needs: string[] | Needs,
  name: string,
  body: TestBody,
): Deno.TestDefinition {
  const { tools = [], others = {} } = Array.isArray(needs) ? { tools: needs } : needs;
  const absentTools = tools.filter((one) => tool(one) === undefined);
  const absentOthers = Object.keys(others).filter((one) => !others[one]);
  const absent = [...absentTools, ...absentOthers].join(", ");
  return {
    name: absent === "" ? name : `${name} (needs ${absent})`,
    ignore: absentOthers.length > 0 || (absentTools.length > 0 && !isRequired),
    fn: (t) => {
      if (absent !== "") throw new Error(`Cannot run the test: ${absent} is not there`);
      return body(t);
    },
  };
}
