import assert from "node:assert/strict";
import { pages } from "../../src/docs/pages.ts";
import { pageNames } from "../docs/pages.ts";
import { Bench } from "./bench.ts";

Deno.test("the binary carries every page of the manual", () => {
  assert.deepEqual(pages.map(({ name }) => name).sort(), pageNames());
});

Deno.test("the manual is served without a token, and every link in it resolves", async () => {
  using bench = new Bench();
  const seen = new Map<string, string>();
  const open = ["/docs"];
  for (let path = open.pop(); path !== undefined; path = open.pop()) {
    if (seen.has(path)) continue;
    const answer = await bench.get(path);
    assert.equal(answer.status, 200, path);
    const html = await answer.text();
    seen.set(path, html);
    for (const [, target = ""] of html.matchAll(/(?:href|src)="([^"]+)"/g)) {
      const [to = ""] = target.split("#");
      if (to.startsWith("/")) open.push(to);
      else assert.ok(to === "" || /^https?:/.test(to), `${path}: ${target}`);
    }
  }
  for (const { name } of pages.filter(({ name }) => name !== "index")) {
    assert.ok(seen.has(`/docs/${name}`), `${name} is linked`);
  }
  for (const [path, html] of seen) {
    for (const [, target = ""] of html.matchAll(/href="([^"]+)"/g)) {
      const [to, fragment] = target.split("#");
      const page = to === "" ? html : seen.get(to!);
      if (fragment === undefined || page === undefined) continue;
      assert.ok(page.includes(` id="${fragment}"`), `${path}: ${target}`);
    }
  }
});

Deno.test("an unknown page of the manual is 404", async () => {
  using bench = new Bench();
  for (const name of ["nothing", "format.md", "..%2fformat", "constructor"]) {
    assert.equal((await bench.get(`/docs/${name}`)).status, 404, name);
  }
});

Deno.test("the content security policy allows pictures only styles", async () => {
  using bench = new Bench();
  const answer = await bench.get("/docs/overview.svg");
  assert.match(await answer.text(), /^<svg /);
  assert.equal(
    answer.headers.get("content-security-policy"),
    "default-src 'none'; style-src 'unsafe-inline'; sandbox",
  );
});
