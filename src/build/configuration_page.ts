/** Generates what follows the heading "Reference" in configuration.md, from the schema. */
import { type Key, keysOf, schemaOf } from "../config/show.ts";

const heading = "## Reference\n";

const introduction = `
Generated from the schema. \`NAME\` stands for a name of your choice, \`[]\` for an item of a list.
Keys in bold must be given. Paths are absolute. Durations are written as \`90s\`, \`15m\` or \`2h\`.
`;

/** The page with a reference that matches the schema; `deno fmt` formats it. */
export function withReference(page: string): string {
  const keys = keysOf(schemaOf());
  const parts = new Map<string, Key[]>();
  for (const key of keys) {
    const [part = ""] = key.path.split(/[.[]/);
    parts.set(part, [...parts.get(part) ?? [], key]);
  }
  const sections = [...parts].map(([name, keys]) => section(name, keys));
  const before = page.slice(0, page.indexOf(heading));
  return [before + heading, introduction, ...sections].join("");
}

function section(name: string, [own, ...below]: Key[]): string {
  if (below.length === 0) return `\n### ${name}\n\n${sentence(own!)}\n`;
  const prefix = below[0]!.path.startsWith(`${name}.NAME.`) ? `${name}.NAME.` : `${name}.`;
  const rows = below.map((key) => {
    const path = `\`${key.path.slice(prefix.length)}\``;
    return `| ${key.required ? `**${path}**` : path} | ${kindOf(key)} | ${defaultOf(key)} | ${
      key.schema.description ?? ""
    } |`;
  });
  const each = prefix.endsWith("NAME.") ? `Keys of each \`${name}.NAME\`:\n\n` : "";
  return `\n### ${name}\n\n${own?.schema.description ?? ""}\n\n${each}` +
    `| key | value | default | meaning |\n| - | - | - | - |\n${rows.join("\n")}\n`;
}

function sentence(key: Key): string {
  const given = key.required ? "Must be given" : `Default: ${defaultOf(key)}`;
  return `${key.schema.description ?? ""} Value: ${kindOf(key)}. ${given}.`;
}

const kinds: Record<string, string> = {
  array: "list",
  boolean: "true or false",
  integer: "number",
  object: "map",
  string: "text",
};

function kindOf({ schema }: Key): string {
  if (schema.const !== undefined) return `\`${schema.const}\``;
  if (schema.enum !== undefined) return schema.enum.map((one) => `\`${one}\``).join(", ");
  const kind = kinds[String(schema.type)] ?? String(schema.type);
  const { minimum: from, maximum: to } = schema;
  if (from === undefined || to === undefined) return kind;
  return `${kind}, ${from} to ${to}`;
}

function defaultOf({ schema }: Key): string {
  const { default: value } = schema;
  if (Array.isArray(value)) return value.length === 0 ? "" : `\`[${value.join(", ")}]\``;
  return value === undefined || typeof value === "object" ? "" : `\`${value}\``;
}
