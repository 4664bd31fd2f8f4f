/**
 * The commands of each page of the manual run as they are printed, in order, in a scratch
 * directory, and what a page shows as their output is what they print.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { sha256 } from "../../src/domain/hash.ts";
import { testWith } from "../support/needs.ts";
import { blocksOf, pageNames, pageText } from "./pages.ts";
import { withWorkplace, type Workplace } from "./workplace.ts";

/** What a page finds when its first command runs. */
interface Setting {
  /** Tools of the system, beside sh. */
  needs?: string[];
  prepare?: (place: Workplace) => void | Promise<void>;
}

/** `format` is run by verifier_test.ts, on the bundle that it prints. */
const elsewhere = new Set(["format"]);

const settings: Record<string, Setting> = {
  verification: { needs: ["jq", "openssl", "sha256sum", "curl"], prepare: bundles },
  sticks: { needs: ["install", "sha256sum"], prepare: sticks },
};

/** The key of an exporting machine, as a file that came another way than the bundle. */
async function signerKey(place: Workplace): Promise<void> {
  await place.run(
    "stella export bundle --profile first --input srv/osv --manifest first/manifest.json --quiet",
  );
  await place.run("stella keys show --public > signer.pub");
}

/** A bundle in ./advisories, on one stick and on two, and a service with a finished export. */
async function bundles(place: Workplace): Promise<void> {
  await signerKey(place);
  await place.run(`
    stella export bundle --profile advisories --input /srv/osv --manifest advisories/manifest.json
    cp -r advisories /media/stick/
    cp advisories/verify.sh .
    stella export bundle --profile advisories --input /srv/osv --volume-size fat32 \\
      --manifest /media/a/manifest.json
    mkdir /media/b`);
  await serviceExport(place);
}

async function serviceExport(place: Workplace): Promise<void> {
  await place.run(`
    cp dist/stella /usr/local/bin/stella
    /usr/local/bin/stella assets write --only systemd /etc/systemd/system
    systemctl enable --now stella
    stella export bundle --server http://127.0.0.1:8420 --profile kit --json >export.json
    cat /var/lib/stella/keys/signing.pub >service.pub`);
  const { id } = JSON.parse(Deno.readTextFileSync(join(place.path, "export.json")));
  place.env["ID"] = id;
}

/** Three sticks, an archive of three volumes of the smallest size, and the binary's digest. */
async function sticks(place: Workplace): Promise<void> {
  await signerKey(place);
  place.exchanged.push(["30G", "8M"], ["/dev/disk/by-label", "by-label"]);
  const noise = new Uint8Array(12 << 20);
  for (let at = 0; at < noise.length; at += 65536) {
    crypto.getRandomValues(noise.subarray(at, at + 65536));
  }
  for (const directory of ["srv/large", "media/a", "media/b", "media/c"]) {
    Deno.mkdirSync(join(place.path, directory), { recursive: true });
  }
  Deno.writeFileSync(join(place.path, "srv/large/noise.bin"), noise);
  await place.run("cp -r first out");
  const program = Deno.readFileSync(join(place.path, "dist/stella"));
  place.env["STELLA_SHA256"] = sha256(program);
}

for (const page of pageNames().filter((name) => !elsewhere.has(name))) {
  const blocks = blocksOf(pageText(page));
  const commands = blocks.filter(({ language }) => language === "sh");
  const { needs = [], prepare } = settings[page] ?? {};
  if (commands.length > 0) {
    testWith(
      ["sh", ...needs],
      `the commands of the page ${page} work as it says`,
      () =>
        withWorkplace(async (place) => {
          await prepare?.(place);
          for (const { text } of commands) await place.run(text);
          for (const { text } of blocks.filter(({ language }) => language === "output")) {
            for (const line of text.trimEnd().split("\n")) {
              assert.ok(place.printed(line), `${page}: "${line}" is not in:\n${place.output}`);
            }
          }
        }),
    );
  }
}
