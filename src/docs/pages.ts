/** The manual, for `stella docs [PAGE]` and `/docs/PAGE`. Links name files, as GitHub needs. */
import commands from "./commands.md" with { type: "text" };
import architecture from "./architecture.md" with { type: "text" };
import changelog from "./changelog.md" with { type: "text" };
import concepts from "./concepts.md" with { type: "text" };
import configuration from "./configuration.md" with { type: "text" };
import contributing from "./contributing.md" with { type: "text" };
import errors from "./errors.md" with { type: "text" };
import format from "./format.md" with { type: "text" };
import images from "./images.md" with { type: "text" };
import index from "./index.md" with { type: "text" };
import metrics from "./metrics.md" with { type: "text" };
import overview from "./overview.svg" with { type: "text" };
import performance from "./performance.md" with { type: "text" };
import registries from "./registries.md" with { type: "text" };
import risk from "./risk.md" with { type: "text" };
import security from "./security.md" with { type: "text" };
import service from "./service.md" with { type: "text" };
import sticks from "./sticks.md" with { type: "text" };
import verification from "./verification.md" with { type: "text" };

export interface Page {
  /** As in `stella docs NAME`. */
  name: string;
  /** Its first heading. */
  title: string;
  /** Markdown. */
  text: string;
}

/** In the order of the contents; `index` is the contents. */
const texts = {
  index,
  concepts,
  verification,
  sticks,
  registries,
  images,
  service,
  configuration,
  metrics,
  risk,
  errors,
  format,
  commands,
  security,
  performance,
  architecture,
  contributing,
  changelog,
};

export const pages: readonly Page[] = Object.entries(texts).map(([name, text]) => ({
  name,
  title: /^# (.+)$/m.exec(text)?.[1] ?? name,
  text,
}));

/** The pictures of the pages by file name: SVG. */
export const pictures: ReadonlyMap<string, string> = new Map([["overview.svg", overview]]);

export function pageNamed(name: string): Page | undefined {
  return pages.find((page) => page.name === name);
}
