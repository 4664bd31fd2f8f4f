/**
 * Acceptance: what the user asked, line by line. Every test names the number of the line it is
 * about and drives the program as a user does: commands, the service through its API, the files
 * that they write. The functions below define a test; Deno.test is called where it stands.
 */
import { type Needs, requiring } from "../support/needs.ts";
import { Home, type Service } from "../support/program.ts";

type Body = (home: Home) => Promise<void> | void;

/** A test of one line, with a home of its own. */
export function asked(line: number, behaviour: string, body: Body): Deno.TestDefinition {
  return askedWith([], line, behaviour, body);
}

/** The same for what needs something of the machine. */
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

/** The same with a service that runs. */
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

/** The command line that exports the profile `kit`: what the binary carries. */
export const exportKit = [
  "export",
  "bundle",
  "--profile",
  "kit",
  "--manifest",
  "out/manifest.json",
];
