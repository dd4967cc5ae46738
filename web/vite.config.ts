import { defineConfig } from "vite"

export default defineConfig({
  build: {
    outDir: "../core/src/deskmate/web/static",
    emptyOutDir: true,
    target: "es2022",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    license: { fileName: "assets/licences.txt" },
  },
})
