/** `deno task docs`: writes the generated parts of the manual. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { loadSubjects } from "../cli/commands.ts";
import { commandsPage } from "./commands_page.ts";
import { withReference } from "./configuration_page.ts";

const folder = fileURLToPath(new URL("../docs", import.meta.url));
const configuration = join(folder, "configuration.md");

writeFileSync(configuration, withReference(readFileSync(configuration, "utf8")));
writeFileSync(join(folder, "commands.md"), commandsPage(await loadSubjects()));
const formatted = await new Deno.Command(Deno.execPath(), { args: ["fmt", "-q", folder] }).output();
if (!formatted.success) throw new Error(`Cannot format ${folder}`);
