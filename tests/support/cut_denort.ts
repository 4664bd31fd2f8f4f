/**
 * denort, the base that `deno compile` puts a program into, cut out of a compiled program again.
 * Tests only.
 *
 * Deno 2.8 and newer add the program to the base as an ELF note: the bytes of the base stay where
 * they are, and behind them come a new table of program headers, the note, and new tables of
 * section names and sections. The header of the file then names the new tables. So the base is the
 * front of the file with its own header put back.
 */
import { Buffer } from "node:buffer";

/** The sections that `deno compile` adds, always last and in this order. */
const added = [".sui.phdrs", ".note.sui"];
/** It adds as many program headers: one that maps the new part, one that says where the note is. */
const addedProgramHeaders = 2;
/** What their names, each with its NUL, take in the table of section names. */
const addedNames = added.join("\0").length + 1;

const fileHeaderSize = 64;
const sectionHeaderSize = 64;

interface Section {
  /** Offset of its name in the table of section names. */
  name: number;
  offset: number;
  size: number;
  /** The header as it stands in the file. */
  bytes: Buffer;
}

/**
 * @param program a 64-bit little-endian ELF file that `deno compile` made
 * @returns its base, byte for byte
 * @throws Error where the file is not of that kind, or the base's own tables are not where they
 * should be
 */
export function cutDenort(program: Uint8Array): Buffer {
  const file = Buffer.from(program.buffer, program.byteOffset, program.byteLength);
  if (file.toString("latin1", 0, 6) !== "\x7fELF\x02\x01") {
    throw new Error("Cannot cut out denort: not a 64-bit little-endian ELF file");
  }
  const table = number(file, 40);
  const count = file.readUInt16LE(60);
  const sections = sectionsAt(file, table, count);
  const names = sections[file.readUInt16LE(62)];
  if (names === undefined) throw new Error("Cannot cut out denort: no table of section names");
  const last = sections.slice(-added.length).map(({ name }) => nameAt(file, names, name));
  if (last.join() !== added.join()) {
    throw new Error(`Cannot cut out denort: the last sections are ${last.join(", ")}`);
  }
  const old = sections.slice(0, -added.length);
  const oldTable = oldTableOffset(old, names);
  assertSame(sectionsAt(file, oldTable, old.length), old, names);
  const base = Buffer.from(file.subarray(0, oldTable + old.length * sectionHeaderSize));
  base.writeBigUInt64LE(BigInt(fileHeaderSize), 32); // e_phoff: program headers follow the header
  base.writeBigUInt64LE(BigInt(oldTable), 40); // e_shoff
  base.writeUInt16LE(file.readUInt16LE(56) - addedProgramHeaders, 56); // e_phnum
  base.writeUInt16LE(old.length, 60); // e_shnum
  return base;
}

function sectionsAt(file: Buffer, table: number, count: number): Section[] {
  if (table + count * sectionHeaderSize > file.length) {
    throw new Error("Cannot cut out denort: the table of sections reaches past the end");
  }
  return Array.from({ length: count }, (_, index) => {
    const at = table + index * sectionHeaderSize;
    return {
      name: file.readUInt32LE(at),
      offset: number(file, at + 24),
      size: number(file, at + 32),
      bytes: file.subarray(at, at + sectionHeaderSize),
    };
  });
}

/**
 * The old table of section names, which lost its place to the longer one, stood behind the last of
 * the other sections.
 */
function oldTableOffset(old: readonly Section[], names: Section): number {
  const others = old.filter((section) => section !== names);
  const last = others.at(-1);
  if (last === undefined) throw new Error("Cannot cut out denort: it has no sections");
  const end = last.offset + last.size + names.size - addedNames;
  return Math.ceil(end / 8) * 8;
}

function assertSame(found: readonly Section[], expected: readonly Section[], names: Section) {
  const index = found.findIndex((section, at) =>
    expected[at] !== names && !section.bytes.equals(expected[at]!.bytes)
  );
  if (index < 0) return;
  throw new Error(`Cannot cut out denort: section ${index} of its own table is another one`);
}

function nameAt(file: Buffer, names: Section, offset: number): string {
  const start = names.offset + offset;
  return file.toString("latin1", start, file.indexOf(0, start));
}

function number(file: Buffer, at: number): number {
  return Number(file.readBigUInt64LE(at));
}
