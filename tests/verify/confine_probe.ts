/** Run as a child: gives its permissions up (argument `true`) and proves it. */
import { messageOf } from "../../src/domain/errors.ts";
import { grants } from "../../src/config/permissions.ts";
import { confine, proveConfined } from "../../src/verify/confine.ts";

function attempt(): string {
  try {
    if (Deno.args[0] === "true") confine(Deno.permissions, grants);
    proveConfined();
    return "confined";
  } catch (error) {
    return messageOf(error);
  }
}

Deno.stdout.writeSync(new TextEncoder().encode(attempt()));
