/** `make dev`: runs a broker beside the page, and starts it again when its sources change. */

import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import type { Plugin } from "vite";

const QUIET_MS = 300;
const PACKAGES = ["osqueue", "storage_adapters"];

/** Unless VITE_BROKER_URL names one that runs already. */
export function devBroker(repository: string): Plugin {
  let broker: ChildProcess | undefined;
  let isEnding = false;
  let timer: NodeJS.Timeout | undefined;

  function start(): void {
    const python = join(repository, ".venv", "bin", "python");
    const running = spawn(python, ["-m", "osqueue.server"], { cwd: repository, stdio: "inherit" });
    broker = running;
    running.on("exit", (code) => {
      if (broker !== running) return;
      broker = undefined;
      if (!isEnding) console.log(`The broker ended with ${code}; it starts again on a change.`);
    });
  }

  function restart(): void {
    const old = broker;
    broker = undefined;
    if (old === undefined || old.exitCode !== null) {
      start();
      return;
    }
    // It releases the lead before it ends, so the next one leads at once.
    old.once("exit", () => {
      if (!isEnding) start();
    });
    old.kill("SIGTERM");
  }

  return {
    name: "dev-broker",
    apply: "serve",
    configureServer(server) {
      if (process.env.VITEST || process.env.VITE_BROKER_URL) return;
      server.watcher.add(PACKAGES.map((name) => join(repository, name)));
      server.watcher.on("all", (_event, path) => {
        if (!path.endsWith(".py")) return;
        clearTimeout(timer);
        timer = setTimeout(restart, QUIET_MS);
      });
      server.httpServer?.once("listening", () => {
        clearTimeout(timer);
        start();
      });
      server.httpServer?.once("close", () => {
        isEnding = true;
        broker?.kill("SIGTERM");
      });
    },
  };
}
