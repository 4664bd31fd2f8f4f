import assert from "node:assert/strict";
import project from "../../deno.json" with { type: "json" };

Deno.test("tasks only ignore files of the first folder, because deno ignores no others", () => {
  const ignoring = Object.values(project.tasks).filter((task) => task.includes("--ignore="));
  assert.ok(ignoring.length > 0);
  for (const task of ignoring) {
    const [, ignored = "", first] = /--ignore=(\S+) (\S+)/.exec(task) ?? [];
    for (const path of ignored.split(",")) assert.ok(path.startsWith(`${first}/`), task);
  }
});
