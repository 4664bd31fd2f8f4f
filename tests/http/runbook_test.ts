import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { parse } from "yaml";
import { Bench } from "./bench.ts";

const dashboards = new URL("../../dashboards/", import.meta.url);
const runbook = readFileSync(new URL("observability.md", dashboards), "utf8");
const { groups } = parse(readFileSync(new URL("export-center.rules.yml", dashboards), "utf8")) as {
  groups: { rules: { alert?: string }[] }[];
};
const alerts = groups.flatMap((group) => group.rules).flatMap((rule) => rule.alert ?? []);

Deno.test("every alert has a runbook page with its meaning, diagnosis and remedy", async () => {
  using bench = new Bench();
  assert.ok(alerts.length >= 16);
  for (const alert of alerts) {
    const answer = await bench.get(`/runbook/${alert}`);
    const html = await answer.text();
    assert.equal(answer.status, 200, alert);
    assert.match(html, new RegExp(`<h1 id="${alert.toLowerCase()}">${alert}</h1>`));
    for (const part of ["Means:", "Look at:", "Do:"]) {
      assert.ok(html.includes(`<strong>${part}</strong>`), `${alert}: ${part}`);
    }
    assert.equal(html.split("<h1").length, 2, `${alert} is one section`);
  }
});

Deno.test("the whole runbook has every heading, and its links resolve", async () => {
  using bench = new Bench();
  const html = await (await bench.get("/runbook")).text();
  const text = runbook.replaceAll(/^( *)```[^]*?^\1```$/gm, "");
  const headings = [...text.matchAll(/^#{2,3} (.+)$/gm)].map((one) => one[1] ?? "");
  for (const heading of headings) assert.ok(html.includes(`>${heading}</`), heading);
  const ids = new Set([...html.matchAll(/ id="([^"]+)"/g)].map((one) => one[1]));
  for (const [, target = ""] of html.matchAll(/href="([^"]+)"/g)) {
    if (target.startsWith("#")) assert.ok(ids.has(target.slice(1)), target);
    else assert.equal((await bench.get(target)).status, 200, target);
  }
  const blocks = runbook.match(/^ *```sh$/gm)?.length;
  assert.equal(html.match(/<pre>/g)?.length, (blocks ?? 0) + 1, "every box is a box");
});

Deno.test("the pages' content security policy allows only their own style", async () => {
  using bench = new Bench();
  for (const path of ["/runbook", "/runbook/ExportCenterDown", "/docs", "/docs/format"]) {
    const answer = await bench.get(path);
    const html = await answer.text();
    const style = /<style>([^]*)<\/style>/.exec(html)?.[1] ?? "";
    const digest = createHash("sha256").update(style).digest("base64");
    assert.equal(
      answer.headers.get("content-security-policy"),
      `default-src 'none'; style-src 'sha256-${digest}'; img-src 'self'; base-uri 'none'; ` +
        "form-action 'none'; frame-ancestors 'none'",
    );
    assert.doesNotMatch(html, /<script|<img|<link|\sstyle=|\son\w+=|src=/);
    assert.equal(answer.headers.get("x-content-type-options"), "nosniff");
  }
});

Deno.test("an unknown alert is 404 for every media type", async () => {
  using bench = new Bench();
  for (const name of ["Nope", "..%2f..%2fetc", "%3Cscript%3E", "exportcenterdown", "__proto__"]) {
    const answer = await bench.get(`/runbook/${name}`);
    assert.equal(answer.status, 404, name);
    assert.doesNotMatch(await answer.text(), /script/);
  }
});
