import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";
import { catalogues } from "./build/catalogues.ts";

const server = process.env["AUTOCRM_URL"] ?? "http://127.0.0.1:8000";

export default defineConfig({
  plugins: [catalogues(), react()],
  build: {
    target: ["chrome123", "firefox121", "safari17.5"],
    // The page's policy is `script-src 'self'`: nothing may be inlined.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rolldownOptions: {
      output: {
        // What changes seldom is cached apart from what changes with every release.
        codeSplitting: { groups: [{ name: "vendor", test: /node_modules[\\/](?!lucide)/ }] },
      },
    },
  },
  server: {
    proxy: { "/api": { target: server, ws: true }, "/widget": server, "/demo": server },
  },
});
