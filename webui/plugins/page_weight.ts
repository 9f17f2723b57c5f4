/** Compresses what was built, and fails the build when the page has grown too heavy. */

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import type { Plugin } from "vite";

/** Everything that a browser loads to show the page, gzipped. */
export const PAGE_BYTES_MAX = 90_000;
const COMPRESSED = /\.(js|css|svg)$/;

/** Writes a `.gz` beside each asset, which the broker sends to browsers that take it. */
export function pageWeight(): Plugin {
  let folder = "";
  return {
    name: "page-weight",
    apply: "build",
    configResolved(config) {
      folder = join(config.root, config.build.outDir);
    },
    closeBundle() {
      let total = gzipSync(readFileSync(join(folder, "index.html"))).length;
      for (const name of readdirSync(join(folder, "assets"))) {
        if (!COMPRESSED.test(name)) continue;
        const path = join(folder, "assets", name);
        const compressed = gzipSync(readFileSync(path), { level: 9 });
        writeFileSync(`${path}.gz`, compressed);
        total += compressed.length;
      }
      const figures = `${total} of ${PAGE_BYTES_MAX} bytes, gzipped`;
      if (total > PAGE_BYTES_MAX) throw new Error(`The page is too heavy: ${figures}`);
      console.log(`The page weighs ${figures}.`);
    },
  };
}
