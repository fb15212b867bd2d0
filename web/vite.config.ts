import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { defineConfig, type Plugin } from "vite";

// The page is served from the package (medsegr/serve/static) at the root of the server: nothing is inlined, so that
// the server's Content-Security-Policy can forbid inline scripts and styles.
const none = new URL("./src/none.ts", import.meta.url).pathname;

/** The licence of every package in the bundle, as assets/licences.txt. */
function licences(): Plugin {
  const packages = new Set<string>();
  return {
    name: "licences",
    moduleParsed({ id }) {
      const found = /^(.*\/node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(id)?.[1];
      if (found && existsSync(join(found, "package.json"))) packages.add(found);
    },
    generateBundle() {
      packages.add(new URL("./node_modules/@fontsource-variable/inter", import.meta.url).pathname);
      const texts = [...packages].sort().map((folder) => {
        const about = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
        const file = readdirSync(folder).find((name) => /^licen[cs]e/i.test(name));
        const text = file ? readFileSync(join(folder, file), "utf8").trim() : "";
        return `${about.name} ${about.version} (${about.license})\n\n${text}\n`;
      });
      this.emitFile({
        type: "asset",
        fileName: "assets/licences.txt",
        source: texts.join(`\n${"-".repeat(72)}\n\n`),
      });
    },
  };
}

export default defineConfig({
  base: "./",
  plugins: [licences()],
  resolve: {
    alias: Object.fromEntries(["blosc", "lz4", "zstd"].map((codec) => [`numcodecs/${codec}`, none])),
  },
  build: {
    outDir: "../src/medsegr/serve/static",
    emptyOutDir: true,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 4000,
    target: "es2022",
  },
});
