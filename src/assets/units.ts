/** The systemd units, as the form of the binary that writes them can run under them. */
import type { Form } from "../domain/version.ts";
import verifyUnit from "./systemd/stella-verify@.service" with { type: "text" };
import serviceUnit from "./systemd/stella.service" with { type: "text" };

/** Text by file name. The differences are explained in the units themselves. */
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
