/**
 * Valid and invalid requests generated from the OpenAPI description; the same for the same seed.
 */

// deno-lint-ignore no-explicit-any -- a document
export type Description = any;

export interface FuzzRequest {
  method: string;
  /** As the description names it. */
  route: string;
  path: string;
  headers: Record<string, string>;
  body?: string;
}

const oddTexts = [
  ..."|null|undefined|true|-1|0|1e308|NaN|..|../x|.|/|//|\\|kit|default|lab|__proto__|constructor"
    .split("|"),
  ..."a'b|a\"b|a b|%|%00|%2e%2e|é|\u{1f600}|\u202e|[]|{}|*|?|#|&|=|+|;".split("|"),
  "x".repeat(300),
  "\u0000",
];
const oddValues = [null, true, -1, 0, 2 ** 53, 1e308, [], {}, [[]], { a: { b: null } }];

/**
 * Numbers in [0, 1) by a linear congruential generator: reproducible, and good enough for tests.
 */
export class Fuzz {
  #state: number;

  constructor(readonly description: Description, readonly ids: string[], seed: number) {
    this.#state = seed;
  }

  next(): FuzzRequest {
    const routes = Object.entries<Description>(this.description.paths);
    const [route, methods] = this.#pick(routes);
    const [method, operation] = this.#pick(Object.entries<Description>(methods));
    const asked = this.#chance(0.03) ? this.#pick(["put", "patch", "delete", "post"]) : method;
    const { parameters = [], requestBody } = operation;
    const of = (place: string) => parameters.filter((one: Description) => one.in === place);
    return {
      method: asked.toUpperCase(),
      route: asked === method ? route : "",
      path: this.#path(route) + this.#query(of("query")),
      headers: this.#headers(of("header"), requestBody !== undefined),
      ...(asked === "get"
        ? {}
        : requestBody === undefined
        ? {}
        : { body: this.#body(requestBody) }),
    };
  }

  #path(route: string): string {
    return route.replaceAll(/\{(\w+)\}/g, (_, name: string) => {
      const known = name === "path" ? ["manifest.json", "SHA256SUMS", "kit.tar.zst"] : this.ids;
      const text = this.#chance(0.8) ? this.#pick(known) : this.#pick(oddTexts);
      // An empty part, or one of dots, would make another path of it.
      return encodeURIComponent(text).replace(/^\.*$/, "%2e%2e");
    });
  }

  #query(parameters: readonly Description[]): string {
    const pairs = parameters.filter(() => this.#chance(0.3))
      .map(({ name, schema }) => [name, String(this.#value(schema))]);
    if (this.#chance(0.05)) pairs.push([this.#pick(oddTexts), this.#pick(oddTexts)]);
    if (pairs.length > 0 && this.#chance(0.05)) pairs.push(pairs[0]!);
    if (this.#chance(0.02)) return "?%&=&&%zz=%";
    return pairs.length === 0
      ? ""
      : `?${pairs.map((pair) => pair.map(encodeURIComponent).join("=")).join("&")}`;
  }

  #headers(parameters: readonly Description[], hasBody: boolean): Record<string, string> {
    const headers: Record<string, string> = {};
    for (const { name, schema } of parameters.filter(() => this.#chance(0.4))) {
      const ranges = [
        "bytes=0-3",
        "bytes=-5",
        "bytes=9-",
        "bytes=99999999-",
        "bytes=5-2",
        "bytes=0-1,3-4",
      ];
      const text = name === "Range" ? this.#pick(ranges) : String(this.#value(schema));
      headers[name] = headerText(text);
    }
    if (hasBody) {
      headers["content-type"] = this.#chance(0.95)
        ? "application/json"
        : this.#pick(["", "text/plain"]);
    }
    if (this.#chance(0.02)) headers["accept"] = headerText(this.#pick(oddTexts));
    if (this.#chance(0.02)) headers["origin"] = headerText(this.#pick(oddTexts));
    return headers;
  }

  #body({ content }: Description): string {
    const { properties, required } = content["application/json"].schema;
    if (this.#chance(0.05)) {
      return this.#pick(["", "{", "[".repeat(10_000), `"${"x".repeat(20_000)}"`, "null", "7"]);
    }
    const entries = Object.entries(properties)
      .filter(([name]) => required.includes(name) ? this.#chance(0.95) : this.#chance(0.2))
      .map(([name, schema]) => [name, this.#value(schema)]);
    if (this.#chance(0.05)) entries.push([this.#pick(oddTexts), this.#pick(oddValues)]);
    return JSON.stringify(Object.fromEntries(entries));
  }

  /** What the schema allows, or something else. */
  #value(schema: Description): unknown {
    if (this.#chance(0.15)) return this.#pick<unknown>(this.#chance(0.5) ? oddTexts : oddValues);
    if (schema.enum !== undefined) return this.#pick(schema.enum);
    if (schema.type === "integer" || schema.type === "number") {
      return this.#pick([1, 2, 50, 500, 501]);
    }
    if (schema.pattern?.includes("7[0-9a-f]{3}")) return this.#pick(this.ids);
    if (schema.pattern?.includes("fat32")) return this.#pick(["fat32", "8M", "4GB"]);
    return this.#pick(["kit", "advisories", "default", "lab", "key-1", "key-2"]);
  }

  #pick<T>(from: readonly T[]): T {
    return from[Math.floor(this.#random() * from.length)]!;
  }

  #chance(share: number): boolean {
    return this.#random() < share;
  }

  #random(): number {
    this.#state = (this.#state * 1_103_515_245 + 12_345) % 2 ** 31;
    return this.#state / 2 ** 31;
  }
}

/** What a client can send at all. */
function headerText(text: string): string {
  return text.replace(/[^\x20-\x7e\x80-\xff]/g, "~");
}
