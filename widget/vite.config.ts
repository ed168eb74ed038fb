import { defineConfig } from "vite";
import { firstTexts } from "./build/firstTexts.ts";

export default defineConfig({
  plugins: [firstTexts()],
  build: {
    target: ["chrome111", "firefox113", "safari16.4"],
    assetsInlineLimit: 0,
    lib: { entry: "src/main.ts", formats: ["iife"], name: "AutoCRMWidget", fileName: () => "widget.js" },
  },
});
