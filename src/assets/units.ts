/** The systemd units, adapted to the form of the binary that writes them. */
import type { Form } from "../domain/version.ts";
import verifyUnit from "./systemd/stella-verify@.service" with { type: "text" };
import serviceUnit from "./systemd/stella.service" with { type: "text" };

/** Text by file name. The units themselves explain the differences. */
export function units(form: Form): Record<string, string> {
  const forbidsMachineCode = form === "portable" ? "yes" : "no";
  return {
    "stella-verify@.service": verifyUnit.replace(
      /^MemoryDenyWriteExecute=.*$/m,
      `MemoryDenyWriteExecute=${forbidsMachineCode}`,
    ),
    "stella.service": serviceUnit,
  };
}
