import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";
import { devBroker } from "./plugins/dev_broker.ts";
import { pageWeight } from "./plugins/page_weight.ts";

const repository = fileURLToPath(new URL("..", import.meta.url));
// The broker behind `make dev`. Its own port follows BROKER_PORT, as everywhere.
const brokerUrl =
  process.env.VITE_BROKER_URL ?? `http://127.0.0.1:${process.env.BROKER_PORT ?? "8080"}`;

export default defineConfig({
  plugins: [pageWeight(), devBroker(repository)],
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  build: {
    outDir: "../osqueue/server/static",
    emptyOutDir: true,
    target: "es2022",
    // The content security policy allows neither inline scripts nor data: addresses.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    // The weight of the page counts and compresses assets where they lie, in one folder.
    assetsDir: "assets",
  },
  server: {
    host: process.env.DEV_HOST ?? "127.0.0.1",
    port: 5173,
    proxy: {
      // Host and Origin stay those of the page, so the broker takes it for its own.
      "/v1": { target: brokerUrl, ws: true },
      // One address, two answers, as the broker does it: the page for people, the document for it.
      "/state": {
        target: brokerUrl,
        bypass: ({ headers }) =>
          headers.accept?.includes("text/html") ? "/index.html" : undefined,
      },
    },
  },
  test: { include: ["tests/**/*.test.ts"], environment: "node" },
});
