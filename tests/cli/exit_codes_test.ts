/**
 * Exit codes that scripts rely on: conflicts, refusals and each response of a service
 * (src/docs/verification.md).
 */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { refusalOf } from "../../src/cli/service_answer.ts";
import { exitCodes } from "../../src/domain/errors.ts";
import { freePort, withHome } from "../support/program.ts";

Deno.test("each response of a service has its exit code", () => {
  const answers: Record<number, number[]> = {
    [exitCodes.usage]: [400, 413, 415, 416, 421, 422, 431],
    [exitCodes.io]: [507],
    [exitCodes.remote]: [302, 405, 500, 502, 504],
    [exitCodes.conflict]: [409, 429, 503],
    [exitCodes.policy]: [401, 403],
    [exitCodes.not_found]: [404],
  };
  for (const [code, statuses] of Object.entries(answers)) {
    for (const status of statuses) {
      // The response of a proxy in front of the service is not JSON.
      for (const text of ["<html>", "", "null", '{"code":"internal"}', '{"code":"toString"}']) {
        const refusal = refusalOf({ url: "http://a.invalid/", status, text });
        assert.equal(refusal.exitCode, Number(code), `${status} ${text}`);
      }
    }
  }
});

Deno.test("the service's message takes precedence over the status", () => {
  const code = (status: number, printed: string) =>
    refusalOf({ url: "http://a.invalid/", status, text: JSON.stringify({ code: printed }) }).kind;
  assert.equal(code(503, "registry"), "remote");
  assert.equal(code(500, "digest"), "differs");
  assert.equal(code(404, "usage"), "not_found");
  assert.equal(code(503, "interrupted"), "busy");
  assert.equal(code(503, "ok"), "busy");
});

Deno.test("an existing file in the output directory is code 14, in text and in JSON", () =>
  withHome(async (home) => {
    const exits = async (args: string[], code: number, reason: RegExp) => {
      const { exit, error, ok } = await home.json(args);
      assert.deepEqual([exit, ok], [code, false], args.join(" "));
      assert.match(error.message, reason);
      const text = await home.stella(args);
      assert.equal(text.code, code);
      assert.match(text.stderr, new RegExp(`\\(code ${code}\\)`));
    };
    await home.succeed(["export", "bundle", "--profile", "kit"]);
    Deno.mkdirSync(join(home.path, "in"));
    writeFileSync(join(home.path, "in/a"), "a");
    const other = ["export", "bundle", "--profile", "other", "--input", "in"];
    await exits(other, 14, /is in the way/);
    await exits(
      ["export", "bundle", "unpack", "--manifest", "out", "--to", "in"],
      14,
      /directory holds/,
    );
    await home.succeed(["keys", "generate", "--out", "k.key"]);
    await exits(["keys", "generate", "--out", "k.key"], 14, /the file exists/);
    await home.succeed(["verify", "out", "--receipt", "r.json"]);
    await exits(["verify", "out", "--receipt", "r.json"], 14, /the file exists/);
  }));

Deno.test("a destination that egress refuses is code 15, both when checked and when connected to", () =>
  withHome(async (home) => {
    const sealed = "version: 1\negress: { sealed: true, allow: [] }\n";
    writeFileSync(join(home.path, "sealed.yaml"), sealed);
    const config = ["--config", "sealed.yaml"];
    const asked = await home.json(["config", "check", "--destination", "a.invalid:443", ...config]);
    assert.deepEqual([asked.exit, asked.code, asked.allowed], [15, 15, false]);
    await home.succeed(["export", "bundle", "--profile", "kit"]);
    const push = ["export", "bundle", "push", "--manifest", "out", "oci://a.invalid/r:t"];
    const pushed = await home.json([...push, ...config]);
    assert.deepEqual([pushed.exit, pushed.findings[0].reason], [15, "egress_refused"]);
  }));

Deno.test("an unreachable service is code 13, and an unknown export is code 16", () =>
  withHome(async (home) => {
    const id = "019b76da-a800-7000-8000-000000000000";
    const away = ["--url", `http://127.0.0.1:${freePort()}`];
    for (
      const args of [["health"], ["status"], ["timeline"], ["jobs", "list"], ["jobs", "cancel", id]]
    ) {
      assert.equal((await home.json([...args, ...away])).exit, 13, args.join(" "));
    }
    const service = await home.serve();
    try {
      const here = ["--url", service.url];
      for (const action of ["cancel", "retry", "purge"]) {
        assert.equal((await home.json(["jobs", action, id, ...here])).exit, 16, action);
      }
      assert.equal((await home.json(["jobs", "cancel", "not-an-id", ...here])).exit, 2);
      assert.equal((await home.json(["timeline", "--event", id, ...here])).exit, 16);
    } finally {
      await service.stop();
    }
  }));

Deno.test("a command line that cannot be parsed is reported as one JSON object with --json", () =>
  withHome(async (home) => {
    const lines: [string[], string, RegExp][] = [
      [["verify", "--json"], "verify", /missing argument <place>/],
      [["verify", "out", "--no-such", "--json"], "verify", /unknown option "--no-such"/],
      [
        ["export", "bundle", "unpack", "--json"],
        "export bundle unpack",
        /missing option --to <dir>; missing argument <place>, or --manifest$/,
      ],
      [
        ["jobs", "list", "--state", "odd", "--json"],
        "jobs list",
        /"odd" is not one of queued, running/,
      ],
      [["no-such-command", "--json"], "", /no such command/],
    ];
    for (const [args, command, message] of lines) {
      const ran = await home.stella(args);
      assert.equal(ran.code, 2, args.join(" "));
      const [line, ...more] = ran.stdout.split("\n");
      assert.deepEqual(more, [""], args.join(" "));
      const printed = JSON.parse(line!);
      assert.deepEqual(
        [printed.command, printed.ok, printed.code],
        [command, false, 2],
        args.join(" "),
      );
      assert.match(printed.error.message, message);
    }
    assert.equal((await home.stella(["verify"])).stdout, "");
    const { code, stderr } = await home.stella(["verfiy", "out"]);
    assert.deepEqual([code, stderr], [
      2,
      'error: Cannot run "stella verfiy": no such command (code 2)\n' +
      "hint:  use: stella verify; or run: stella help\n",
    ]);
  }));
