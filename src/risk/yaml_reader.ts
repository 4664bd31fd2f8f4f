/**
 * YAML as some databases keep their OSV records (PyPI's, OSS-Fuzz). Scalars stay the texts that they were written as: a version
 * 1.10 is no number. Source: YAML 1.2, core schema.
 */
import { messageOf } from "../errors.ts";
import { type Keep, type ReadLimits, RecordFault, selected } from "./json_reader.ts";

/** Its syntax tree takes some two hundred times the memory of the text. */
export const maxYamlBytes = 1024 * 1024;
const maxMarks = 200_000;
const marks = /[\n[\]{},:?-]/g;

/** @throws RecordFault where it is not YAML, has an alias, or is too large */
export async function readYaml(
  bytes: Uint8Array,
  keep: Keep,
  limits: ReadLimits,
): Promise<unknown> {
  const text = decoded(bytes);
  if ((text.match(marks)?.length ?? 0) > maxMarks) {
    throw new RecordFault(`is YAML with more than ${maxMarks} marks`);
  }
  return selected(await parsed(text), keep, limits);
}

function decoded(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new RecordFault("is not YAML: the text is not UTF-8");
  }
}

async function parsed(text: string): Promise<unknown> {
  const { parseDocument, visit } = await import("yaml");
  try {
    const document = parseDocument(text, { logLevel: "error" });
    const [error] = document.errors;
    if (error !== undefined) throw new Error(error.message.split("\n")[0]);
    visit(document, {
      // A few lines of aliases to aliases stand for gigabytes.
      Alias: () => {
        throw new Error("it has an alias");
      },
      Scalar: (_, node) => {
        if (node.value !== null && node.source !== undefined) node.value = node.source;
      },
    });
    return document.toJS({ maxAliasCount: 0 });
  } catch (error) {
    // RangeError: nested deeper than the stack is.
    throw new RecordFault(`is not YAML: ${messageOf(error)}`);
  }
}
