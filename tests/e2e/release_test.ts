/**
 * `deno task release` makes a signed bundle of the forms that can be built here, and the steps of
 * the security page verify it, with openssl only and with stella.
 */
import assert from "node:assert/strict";
import { readFileSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { blocksOf, pageText } from "../docs/pages.ts";
import { requiring } from "../support/needs.ts";
import { root } from "../support/program.ts";
import { withWorkplace, type Workplace } from "../support/workplace.ts";

const supported = Deno.build.target === "x86_64-unknown-linux-gnu";
const { version } = JSON.parse(readFileSync(join(root, "deno.json"), "utf8"));
const portable = `portable-${Deno.build.target}`;
const [byOpenssl, byStella] = blocksOf(pageText("security"))
  .filter(({ heading, language }) => heading === "Releases" && language === "sh")
  .map(({ text }) => text);

/** Makes the release in the scratch directory, signed with a key of its own. */
async function releaseIn(place: Workplace): Promise<string> {
  await place.run("stella keys generate --out signing.key");
  const out = join(place.path, "release");
  const args = ["task", "-q", "release", "--draft", "--key", join(place.path, "signing.key")];
  const child = new Deno.Command(Deno.execPath(), { args: [...args, "--out", out], cwd: root });
  const { success, stderr } = await child.output();
  const said = new TextDecoder().decode(stderr);
  assert.ok(success, said);
  return said;
}

const json = (place: Workplace, path: string) =>
  JSON.parse(readFileSync(join(place.path, "release", path), "utf8"));

Deno.test(requiring(
  {
    tools: ["cc", "sh", "openssl", "sha256sum", "install"],
    others: { "Linux on x86-64": supported },
  },
  "a release is a signed bundle with SBOM and provenance, which the documented steps verify",
  () =>
    withWorkplace(async (place) => {
      const said = await releaseIn(place);
      const { payload, tool } = json(place, "manifest.json");
      assert.deepEqual([payload.layout, tool.version], ["directory", version]);

      const index = readFileSync(join(place.path, "release/SHA256SUMS"), "utf8");
      const { subject, predicate } = json(place, "payload/provenance.json");
      assert.equal(predicate.buildDefinition.externalParameters.version, version);
      assert.equal(predicate.runDetails.builder.version.deno, Deno.version.deno);
      assert.ok(subject.some(({ name }: { name: string }) => name === `${portable}/stella`));
      for (const { name, digest } of subject) {
        assert.ok(index.includes(`${digest.sha256}  ${name}\n`), name);
      }
      // Forms that cannot be built here are named in the output.
      assert.ok(subject.length === 2 || /not part of this release: the compiled form/.test(said));

      const { components } = json(place, "payload/sbom.cdx.json");
      const names = components.map(({ name }: { name: string }) => name);
      for (const name of ["hono", "zod", "prom-client", "main.ts", "src/verify/verify.ts"]) {
        assert.ok(names.includes(name), name);
      }

      // Pasted into an interactive shell, which continues after a failed command.
      const pasted = (block: string) => place.run(`set +e\n${block}`);
      await place.run("mv release.pub stella.pub && cp -r release altered");
      await place.run(byOpenssl!);
      await place.run(byStella!);
      assert.ok(place.output.includes("verified  stella of "), place.output);
      truncateSync(join(place.path, "release/payload/sbom.cdx.json"), 100);
      await assert.rejects(pasted(byOpenssl!), /FAILED/);
      await assert.rejects(place.run(byStella!), /digest_mismatch|truncated/);
      await place.run(`rm -r release && mv altered release &&
        sed -i 's/"profile":"stella"/"profile":"other"/' release/manifest.json`);
      await assert.rejects(pasted(byOpenssl!), /ended with 1/);
      await assert.rejects(place.run(byStella!), /subject_mismatch/);
    }),
));
