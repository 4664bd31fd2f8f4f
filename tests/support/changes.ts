/** Waiting for what callbacks of the code under test bring about, and for lines of a file. */
import { existsSync, readFileSync } from "node:fs";
import { dirname } from "node:path";

/** Milliseconds until what does not come is an error. */
const patience = 60_000;

/** The callbacks call `changed`; whoever waits looks again each time. */
export class Changes {
  #waiting: (() => void)[] = [];

  readonly changed = (): void => this.#waiting.splice(0).forEach((look) => look());

  /** @throws Error where it does not come to that within a minute */
  async until(isSo: () => boolean): Promise<void> {
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(
      () => late.reject(new Error(`Not within a minute: ${isSo}`)),
      patience,
    );
    try {
      while (!isSo()) {
        const change = new Promise<void>((look) => this.#waiting.push(look));
        await Promise.race([change, late.promise]);
      }
    } finally {
      clearTimeout(timer);
    }
  }
}

/**
 * Waits until a file holds what is looked for. Its directory has to be there, the file may be made
 * later.
 * @throws Error where it does not come to that within a minute
 */
export async function untilFile(path: string, isSo: (text: string) => boolean): Promise<void> {
  const look = () => existsSync(path) && isSo(readFileSync(path, "utf8"));
  const watcher = Deno.watchFs(dirname(path), { recursive: false });
  const changes = new Changes();
  const watched = (async () => {
    for await (const _ of watcher) changes.changed();
  })();
  try {
    await changes.until(look);
  } finally {
    watcher.close();
    await watched;
  }
}
