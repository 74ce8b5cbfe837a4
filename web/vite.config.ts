import { defineConfig } from 'vite'

/** The page: relative URLs, so that it works below any base path; no source of code but its own. */
export default defineConfig({
  root: import.meta.dirname,
  base: './',
  publicDir: false,
  esbuild: { jsx: 'automatic', jsxImportSource: 'preact' },
  build: {
    outDir: 'dist',
    emptyOutDir: true,
    target: 'es2022',
    // The map is one chunk of its own, loaded when a map is shown.
    chunkSizeWarningLimit: 1200,
    // Inlined assets would be `data:` URLs, which the Content-Security-Policy refuses for scripts.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
})
