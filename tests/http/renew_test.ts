/** A certificate that is renewed while the service runs, and one that expires. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import tls from "node:tls";
import { certificateValid } from "../../src/http/checks.ts";
import { requiring, tool } from "../support/needs.ts";
import { configuration, Home, type Service } from "../support/service_process.ts";

function makePair(directory: string, name: string): void {
  execFileSync(tool("openssl")!, [
    ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"],
    ...["-keyout", join(directory, "tls.key"), "-out", join(directory, "tls.pem")],
    ...["-subj", `/CN=${name}`, "-days", "20"],
  ], { stdio: "ignore", timeout: 20_000 });
  Deno.chmodSync(join(directory, "tls.key"), 0o640);
}

/** The certificate that a new connection gets. */
async function nameOf({ url }: Service): Promise<unknown> {
  const { hostname: host, port } = new URL(url);
  const socket = tls.connect({ host, port: Number(port), rejectUnauthorized: false });
  await new Promise((done, fail) => socket.once("secureConnect", done).once("error", fail));
  const { subject } = socket.getPeerCertificate();
  socket.destroy();
  return subject.CN;
}

/** Sends SIGHUP and waits until the log has the event. */
async function hangUp(service: Service, event: string): Promise<void> {
  service.child.kill("SIGHUP");
  await service.logged(new RegExp(`"event":"${event}"`));
}

Deno.test(requiring(
  ["openssl"],
  "SIGHUP loads the renewed certificate, or keeps the old one if the new one is invalid",
  async () => {
    using home = new Home();
    makePair(home.path, "first");
    const files = `tls: { certificate: ${home.path}/tls.pem, key: ${home.path}/tls.key }`;
    home.configure(configuration.replace("concurrency: 1", `concurrency: 1, ${files}`));
    const service = await home.start("127.0.0.1:0");
    try {
      assert.equal(await nameOf(service), "first");
      makePair(home.path, "second");
      assert.equal(await nameOf(service), "first", "nobody asked for it yet");
      await hangUp(service, "tls.renewed");
      assert.equal(await nameOf(service), "second");
      Deno.writeTextFileSync(join(home.path, "tls.pem"), "none");
      await hangUp(service, "tls.refused");
      assert.equal(await nameOf(service), "second");
    } finally {
      await service.stop();
    }
  },
));

Deno.test("SIGHUP does not stop the service", async () => {
  using home = new Home();
  const service = await home.start("127.0.0.1:0");
  await hangUp(service, "service.renew");
  assert.equal((await service.get("/health/liveness")).status, 200);
  assert.equal(await service.stop(), 0);
});

Deno.test(requiring(
  ["openssl"],
  "a certificate that expires soon is a warning, an expired one a failure",
  async () => {
    const directory = Deno.makeTempDirSync({ prefix: "stella-renew-" });
    try {
      makePair(directory, "x");
      const pem = Deno.readTextFileSync(join(directory, "tls.pem"));
      const day = 86_400_000;
      const after = async (days: number) => {
        const now = () => Date.now() + days * day;
        const check = certificateValid(() => pem, now);
        const { status, output } = await check.run(new AbortController().signal);
        return `${status} ${output!.replace(/ [A-Z][a-z]{2} .*/, "")}`;
      };
      assert.deepEqual(await Promise.all([-1, 0, 7, 21].map(after)), [
        "fail it is not valid before",
        "pass it expires at",
        "warn it expires at",
        "fail it expired at",
      ]);
    } finally {
      Deno.removeSync(directory, { recursive: true });
    }
  },
));
