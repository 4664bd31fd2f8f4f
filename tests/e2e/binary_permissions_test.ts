/** The permissions that the binary's commands keep when their work begins. */
import { holdToLines } from "../support/permission_lines.ts";
import { binaryTest } from "./binary_place.ts";

Deno.test(
  binaryTest(
    [],
    "each command of the binary has exactly the permissions in the list",
    async ({ home }) => {
      await holdToLines((args) => home.stella(args));
    },
  ),
);
