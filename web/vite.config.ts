import { defineConfig } from "vite";

// The page is served from the package (medsegr/serve/static) at the root of the server: nothing is inlined, so that
// the server's Content-Security-Policy can forbid inline scripts and styles.
export default defineConfig({
  base: "./",
  build: {
    outDir: "../src/medsegr/serve/static",
    emptyOutDir: true,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 4000,
    target: "es2022",
  },
});
