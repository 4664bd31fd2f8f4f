/**
 * The configuration page against the schema: every key described, the reference up to date, the
 * examples valid.
 */
import assert from "node:assert/strict";
import { parse } from "yaml";
import { withReference } from "../../src/build/configuration_page.ts";
import { descriptions } from "../../src/config/descriptions.ts";
import { keysOf, schemaOf } from "../../src/config/show.ts";
import { withHome } from "../support/program.ts";
import { blocksOf, pageNames, pageText } from "./pages.ts";

const keys = keysOf(schemaOf()).map(({ path }) => path);

Deno.test("every configuration key has a description, and every description has a key", () => {
  assert.deepEqual(Object.keys(descriptions).sort(), keys.toSorted());
});

Deno.test("the reference on the configuration page matches the schema", async () => {
  const page = pageText("configuration");
  const child = new Deno.Command(Deno.execPath(), {
    args: ["fmt", "--ext=md", "--line-width=100", "-"],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(withReference(page)));
  await writer.close();
  const { stdout } = await child.output();
  assert.equal(new TextDecoder().decode(stdout), page, "run: deno task docs");
});

/** The paths of the keys of a value, as the schema names them. */
function pathsIn(value: unknown, path = ""): string[] {
  if (Array.isArray(value)) return value.flatMap((one) => pathsIn(one, `${path}[]`));
  if (value === null || typeof value !== "object") return [];
  const isNamed = ["registries", "profiles", "tokens"].includes(path);
  return Object.entries(value).flatMap(([name, part]) => {
    const key = path === "" ? name : `${path}.${isNamed ? "NAME" : name}`;
    return isNamed ? pathsIn(part, key) : [key, ...pathsIn(part, key)];
  });
}

Deno.test("the complete example names every key and can be loaded", () =>
  withHome(async (home) => {
    const [example] = blocksOf(pageText("configuration")).filter(({ language }) =>
      language === "yaml"
    );
    assert.deepEqual([...new Set(pathsIn(parse(example!.text)))].sort(), keys.toSorted());
    Deno.writeTextFileSync(`${home.path}/stella.yaml`, example!.text);
    const env = { CREDENTIALS_DIRECTORY: home.path };
    await home.succeed(["config", "show", "--config", "stella.yaml"], { env });
  }));

for (const page of pageNames()) {
  const blocks = blocksOf(pageText(page)).filter(({ language }) => language === "yaml");
  if (blocks.length > 0) {
    Deno.test(`the YAML on the page ${page} is valid configuration`, () =>
      withHome(async (home) => {
        for (const { text } of blocks) {
          const whole = text.startsWith("version:") ? text : `version: 1\n${text}`;
          Deno.writeTextFileSync(`${home.path}/stella.yaml`, whole);
          const env = { CREDENTIALS_DIRECTORY: home.path };
          await home.succeed(["config", "show", "--config", "stella.yaml"], { env });
        }
      }));
  }
}
