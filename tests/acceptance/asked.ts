/**
 * Acceptance tests for each line of the user's request. The name of a test starts with the number
 * of its line. The tests drive the program as a user does: through commands, the API of the service
 * and the files that both write. The functions below return a test definition; the test files call
 * Deno.test.
 */
import { type Needs, requiring } from "../support/needs.ts";
import { Home, type Service } from "../support/program.ts";

type Body = (home: Home) => Promise<void> | void;

/** A test of one line, with its own home directory. */
export function asked(line: number, behaviour: string, body: Body): Deno.TestDefinition {
  return askedWith([], line, behaviour, body);
}

/** Like asked, for a test that needs tools or properties of the machine. */
export function askedWith(
  needs: string[] | Needs,
  line: number,
  behaviour: string,
  body: Body,
): Deno.TestDefinition {
  return requiring(needs, `line ${line}: ${behaviour}`, async () => {
    const home = new Home();
    try {
      await body(home);
    } finally {
      home.remove();
    }
  });
}

/** Like asked, with a running service. */
export function askedOfService(
  line: number,
  behaviour: string,
  body: (service: Service, home: Home) => Promise<void>,
): Deno.TestDefinition {
  return asked(line, behaviour, async (home) => {
    const service = await home.serve();
    try {
      await body(service, home);
    } finally {
      await service.stop();
    }
  });
}

/** The command line that exports the profile `kit`: the files that the binary carries. */
export const exportKit = [
  "export",
  "bundle",
  "--profile",
  "kit",
  "--manifest",
  "out/manifest.json",
];
