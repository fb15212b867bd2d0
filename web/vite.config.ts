import { defineConfig } from "vite";

// The page is served from the package (medsegr/serve/static) at the root of the server: nothing is inlined, so that
// the server's Content-Security-Policy can forbid inline scripts and styles.
const none = new URL("./src/none.ts", import.meta.url).pathname;

export default defineConfig({
  base: "./",
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
