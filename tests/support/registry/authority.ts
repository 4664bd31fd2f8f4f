/** Certificates for tests, made when they are needed, so that none in the tree can expire. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { tool } from "../needs.ts";

const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

/** A certificate authority of one test. */
export class Authority {
  readonly dir = mkdtempSync(join(tmpdir(), "stella-tls-"));
  readonly path = join(this.dir, "ca.pem");

  constructor() {
    const ca = ["-subj", "/CN=test", "-days", "2", "-addext", "basicConstraints=critical,CA:TRUE"];
    this.#openssl("req", "-x509", ...curve, "-keyout", "ca.key", "-out", "ca.pem", ...ca);
  }

  /** A certificate for `names`, valid for so many days from now; -1 makes one that has ended. */
  issue(names: string, days: number): { key: string; cert: string } {
    this.#openssl("req", ...curve, "-keyout", "x.key", "-out", "x.csr", "-subj", "/CN=x");
    writeFileSync(join(this.dir, "x.ext"), `subjectAltName=${names}\n`);
    const by = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "x.ext"];
    this.#openssl("x509", "-req", "-in", "x.csr", ...by, "-out", "x.pem", "-days", String(days));
    const read = (name: string) => readFileSync(join(this.dir, name), "utf8");
    return { key: read("x.key"), cert: read("x.pem") };
  }

  remove(): void {
    rmSync(this.dir, { recursive: true, force: true });
  }

  #openssl(...args: string[]): void {
    execFileSync(tool("openssl")!, args, { cwd: this.dir, stdio: "ignore", timeout: 20_000 });
  }
}
