/**
 * Run as a worker: replaces the key at one path by another, again and again, until it is
 * terminated.
 */
import { copyFileSync, renameSync } from "node:fs";

const port = self as unknown as {
  onmessage: (event: MessageEvent<[string, string, string]>) => void;
  postMessage: (message: string) => void;
};

port.onmessage = ({ data: [a, b, path] }) => {
  const exchange = () => {
    for (let i = 0; i < 50; i++) {
      copyFileSync(i % 2 === 0 ? a : b, `${path}.new`);
      renameSync(`${path}.new`, path);
    }
    setTimeout(exchange, 0);
  };
  exchange();
  port.postMessage("begun");
};
