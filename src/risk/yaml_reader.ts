/**
 * Reads OSV records in YAML (PyPI's, OSS-Fuzz). Scalars stay text: a version 1.10 is not a number.
 * Source: YAML 1.2, core schema.
 */
import { parseDocument, visit } from "yaml";
import { type Keep, type ReadLimits, RecordFault, selected } from "./json_reader.ts";

const maxMarks = 200_000;
const marks = /[\n[\]{},:?-]/g;

/** @throws RecordFault if it is not YAML, has an alias, or is too large */
export function readYaml(bytes: Uint8Array, keep: Keep, limits: ReadLimits): unknown {
  const text = decoded(bytes);
  if ((text.match(marks)?.length ?? 0) > maxMarks) {
    throw new RecordFault(`is YAML with more than ${maxMarks} marks`);
  }
  return selected(parsed(text), keep, limits);
}

function decoded(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw fault("the text is not UTF-8");
  }
}

function parsed(text: string): unknown {
  try {
    const document = parseDocument(text, { logLevel: "error" });
    const [error] = document.errors;
    if (error !== undefined) throw fault(error.message.split("\n")[0] ?? "");
    visit(document, {
      // A few lines of nested aliases expand to gigabytes.
      Alias: () => {
        throw fault("it has an alias");
      },
      Scalar: (_, node) => {
        if (node.value !== null && node.source !== undefined) node.value = node.source;
      },
    });
    return document.toJS({ maxAliasCount: 0 });
  } catch (error) {
    if (error instanceof RangeError) throw fault("it is nested too deep");
    throw error;
  }
}

function fault(reason: string): RecordFault {
  return new RecordFault(`is not YAML: ${reason}`);
}
