/** Whether stderr is journald, which reads a priority at the start of a line (systemd.exec(5)). */
import { fstatSync } from "node:fs";

/** `value` is JOURNAL_STREAM, `DEVICE:INODE`; a child may inherit it with another stderr. */
export function isJournal(value: string | undefined, descriptor = 2): boolean {
  if (value === undefined || value === "") return false;
  try {
    const { dev, ino } = fstatSync(descriptor, { bigint: true });
    return value === `${dev}:${ino}`;
  } catch {
    return false;
  }
}
