import { readdirSync } from "node:fs";
import { defineConfig } from "vite";

const here = new URL(".", import.meta.url).pathname;

/** The unit tests as plain JavaScript: older Node.js reads no types. */
export default defineConfig({
  root: here,
  build: {
    ssr: true,
    outDir: "../../node_modules/.unit",
    emptyOutDir: true,
    rollupOptions: {
      input: readdirSync(here)
        .filter((name) => name.endsWith(".test.ts"))
        .map((name) => here + name),
    },
  },
});
