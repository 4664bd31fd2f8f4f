/** Canary secrets, and the search for them in all output. */
import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Home } from "../support/program.ts";

const mark = (name: string) => `canary-${name}-7f3a9c51`;
/** The first one is known to the service. */
export const token = mark("token");
export const otherToken = mark("other-token");
const [password, passphrase] = [mark("password"), mark("passphrase")];
/** As it is sent to the registry. */
export const basic = btoa(`me:${password}`);

/** The files that hold the secrets, and nothing else. */
export class Secrets {
  readonly path: string;

  constructor(home: Home, tls: { key: string; cert: string }) {
    this.path = join(home.path, "secrets");
    mkdirSync(this.path);
    this.add("token", token);
    this.add("other-token", otherToken);
    this.add("open-token", token, 0o644);
    this.add("site.json", JSON.stringify({ username: "me", password }));
    this.add("open.json", JSON.stringify({ username: "me", password }), 0o644);
    this.add("broken.json", `{"username":"me","password":"${password}"`);
    this.add("odd.json", JSON.stringify({ username: "me", password, other: password }));
    this.add("passphrase", passphrase);
    this.add("other-passphrase", mark("other-passphrase"));
    this.add("tls.key", tls.key);
    this.add("tls.pem", tls.cert);
    this.add("broken.key", tls.key.replace("\n", "\nA"));
  }

  add(name: string, text: string, mode = 0o600): void {
    writeFileSync(this.of(name), text);
    chmodSync(this.of(name), mode);
  }

  /** The configuration that `docker login` writes. */
  logIn(host: string): void {
    const folder = join(this.path, "../.docker");
    mkdirSync(folder);
    const text = JSON.stringify({ auths: { [host]: { auth: basic } } });
    writeFileSync(join(folder, "config.json"), text, { mode: 0o600 });
  }

  of(name: string): string {
    return join(this.path, name);
  }

  /** Everything that must not be disclosed: texts as they are, and the key material. */
  needles(...keys: string[]): string[] {
    const bodies = keys.flatMap((path) =>
      readFileSync(path, "utf8").split("\n").filter((line) => /^[A-Za-z0-9+/=]{20,}$/.test(line))
    );
    const hex = bodies.map((line) => Uint8Array.fromBase64(line).toHex());
    const texts = [token, otherToken, password, passphrase, mark("other-passphrase"), basic];
    return [...texts, ...texts.map(encodeURIComponent), ...bodies, ...hex];
  }
}

/** Everything visible from outside, by where it was seen. */
export class Seen {
  readonly #places: [string, string][] = [];

  add(place: string, text: string): void {
    this.#places.push([place, text]);
  }

  /** Every file below the directory, bytes as they are. */
  addFiles(directory: string, except: RegExp): void {
    for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
      const path = join(entry.parentPath, entry.name);
      if (entry.isFile() && !except.test(path)) this.add(path, readFileSync(path, "latin1"));
    }
  }

  placesOf(needles: readonly string[]): string[] {
    return this.#places.filter(([, text]) => needles.some((one) => text.includes(one)))
      .map(([place]) => place);
  }

  has(place: string): boolean {
    return this.#places.some(([one]) => one === place);
  }

  get size(): number {
    return this.#places.length;
  }
}
