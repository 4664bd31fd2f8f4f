/**
 * The commands of each page of the manual run as they are printed, in order, in a scratch
 * directory, and what a page shows as their output is what they print.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { sha256 } from "../../src/domain/hash.ts";
import { havePeers, type Peer, peer } from "./peers.ts";
import { writeFiles } from "../support/bundle_fixture.ts";
import { Layout } from "../support/oci_layout.ts";
import { requiring } from "../support/needs.ts";
import { withDockerRegistry } from "../support/registry/docker_registry.ts";
import { type Block, blocksOf, pageNames, pageText } from "../docs/pages.ts";
import { putImage, putIndex } from "../support/registry/made_images.ts";
import { withWorkplace, type Workplace } from "../support/workplace.ts";

/** What is prepared before the first command of a page runs. */
interface Setting {
  /** Tools of the system, beside sh. */
  needs?: string[];
  prepare?: (place: Workplace) => void | Promise<void>;
}

/**
 * `format` is run by verifier_test.ts, on the bundle that it prints; `commands` shows how commands
 * are typed, and is compared with their declarations by commands_page_test.ts.
 */
const elsewhere = new Set(["format", "commands"]);

/** release_test.ts makes a release and runs the commands of this section on it. */
const releases = { page: "security", heading: "Releases" };

const settings: Record<string, Setting> = {
  metrics: { needs: ["promtool"], prepare: firstBundle },
  risk: { needs: ["jq"], prepare: riskData },
  service: { needs: ["install", "curl", "jq", "openssl", "sha256sum"], prepare: siteService },
  configuration: { prepare: (place) => place.write("stella.yaml", smallConfiguration) },
  registries: { needs: ["docker-registry", "skopeo", "jq"], prepare: registry },
  images: { needs: ["docker-registry", "skopeo"], prepare: images },
  verification: { needs: ["jq", "openssl", "sha256sum", "curl"], prepare: bundles },
  security: {
    prepare: (place) => place.run("cp dist/stella /usr/local/bin/stella && mkdir -p srv/osv"),
  },
  sticks: { needs: ["install", "sha256sum"], prepare: sticks },
};

const smallConfiguration = `version: 1
registries: { site: { url: "https://registry.site:5000" } }
egress: { sealed: true, allow: ["registry.site:5000"] }
`;

/** The key of an exporting machine, as a file that was transferred apart from the bundle. */
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

async function firstBundle(place: Workplace): Promise<void> {
  Deno.mkdirSync(join(place.path, "var/lib/node_exporter"), { recursive: true });
  await place.run(
    "stella export bundle --profile advisories --input /srv/osv --manifest out/manifest.json",
  );
}

/** The providers of the page, all of them from files. */
function riskData(place: Workplace): void {
  place.copy("tests/fixtures/risk", "risk-data");
  const { path } = place;
  place.write(
    "stella.yaml",
    `version: 1
profiles:
  risk:
    kind: risk
    providers:
      - { kind: kev, path: ${path}/risk-data/kev.json }
      - { kind: osv, path: ${path}/risk-data/osv }
      - { kind: epss, path: ${path}/risk-data/epss.csv }
      - { kind: csaf, path: ${path}/risk-data/csaf }
`,
  );
}

/** The host name in the page resolves to the service of the test. */
function siteService(place: Workplace): void {
  place.exchanged.push(["https://stella.site:8420", `http://127.0.0.1:${place.port}`]);
}

/** A bundle in ./out, and a registry for both host names of the page. */
async function registry(place: Workplace): Promise<void> {
  await place.run(
    "stella export bundle --profile advisories --input /srv/osv --manifest out/manifest.json",
  );
  await place.run("stella keys show --public > signing.pub");
  place.exchanged.push(
    ["skopeo copy ", "skopeo copy --src-tls-verify=false --dest-tls-verify=false "],
    ["skopeo inspect ", "skopeo inspect --tls-verify=false "],
    ["oras cp ", "oras cp --from-plain-http --to-plain-http "],
    ["oras pull ", "oras pull --plain-http "],
    ["oras discover ", "oras discover --plain-http "],
    ["registry.site:5000", place.registry],
    ["other.site:5000/", `${place.registry}/other/`],
  );
}

/** Small images in the registry, under the names in the page. */
async function images(place: Workplace): Promise<void> {
  const layout = new Layout();
  layout.name(layout.both("web"), "web");
  writeFiles(join(place.path, "made"), layout.files());
  const host = place.registry;
  await putIndex({ host, name: "library/nginx" }, "1.27", ["linux/amd64", "linux/arm64"]);
  await putImage({ host, name: "charts/app" }, { tag: "1.2" });
  place.exchanged.push(
    ["skopeo copy ", "skopeo copy --src-tls-verify=false --dest-tls-verify=false "],
    ["skopeo inspect docker", "skopeo inspect --tls-verify=false docker"],
    ["oras cp ", "oras cp --to-plain-http "],
    ["registry.site:5000", host],
    ["docker.io/library/nginx", `${host}/library/nginx`],
  );
  await place.run("skopeo copy --all oci:made:web docker://registry.site:5000/library/web:1.0");
}

/** The tool without a Debian package that a block of commands calls. */
function peerOf({ text }: Block): Peer | undefined {
  const peers: Peer[] = ["oras", "cosign"];
  return peers.find((name) => new RegExp(`^${name} `, "m").test(text));
}

for (const page of pageNames().filter((name) => !elsewhere.has(name))) {
  const blocks = blocksOf(pageText(page));
  const commands = blocks.filter(({ language, heading }) =>
    language === "sh" && !(page === releases.page && heading === releases.heading)
  );
  const shown = blocks.filter(({ language }) => language === "output");
  const peers = new Set(commands.map(peerOf));
  for (const used of peers) pageTest(page, commands, shown, used);
}

/** @param used the peer whose blocks run as well; those of others do not */
function pageTest(page: string, commands: Block[], shown: Block[], used: Peer | undefined): void {
  const { needs = [], prepare } = settings[page] ?? {};
  const name = `the page ${page} shows what its commands print${used ? `, with ${used}` : ""}`;
  const others = used === undefined ? {} : havePeers(used);
  Deno.test(requiring({ tools: ["sh", ...needs], others }, name, () => {
    const run = async (place: Workplace) => {
      await prepare?.(place);
      if (used !== undefined) Deno.symlinkSync(peer(used)!, join(place.path, "bin", used));
      for (const block of commands.filter((one) => [undefined, used].includes(peerOf(one)))) {
        await place.run(block.text);
      }
      for (const line of shown.flatMap(({ text }) => text.trimEnd().split("\n"))) {
        assert.ok(place.printed(line), `${page}: "${line}" is not in:\n${place.output}`);
      }
    };
    if (!needs.includes("docker-registry")) return withWorkplace(run);
    return withDockerRegistry(({ host }) =>
      withWorkplace((place) => {
        place.registry = host;
        return run(place);
      })
    );
  }));
}

/** Commands that a page shows but this file does not run, by their first line, and why. */
const notRun: Record<string, string> = {
  "npx --yes deno@2.9.6 task demo": "readme_test.ts runs the demo; the tests are running",
  "deno task --quiet stella version": "the tests of the form `source` run the program that way",
  "deno task ok": "the checks before a change; continuous integration runs them",
  "deno task build --target aarch64-apple-darwin": "needs denort, which few machines can download",
  "SSL_CERT_FILE=ca.pem cosign verify-attestation --key signing.pub \\":
    "cosign_test.ts runs it, against a registry with TLS",
};

Deno.test("every command of the manual is run, except a list with reasons", () => {
  const command =
    /^(?:[A-Z_]+=\S+ )?(?:stella|deno|npx|cosign|oras|skopeo|curl|jq|sudo|sh|openssl|promtool|git) /;
  const shown = pageNames().flatMap((page) => blocksOf(pageText(page)))
    .filter(({ language, text }) => language !== "sh" && command.test(text))
    .map(({ text }) => text.split("\n")[0]);
  assert.deepEqual(shown.toSorted(), Object.keys(notRun).toSorted());
});
