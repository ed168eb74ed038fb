import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Plugin } from "vite";

const LOCALES = join(import.meta.dirname, "..", "..", "locales");

/** What the widget must be able to say before it has heard from the server, or when it cannot be reached. */
const IDS = [
  "open",
  "close",
  "title",
  "intro",
  "privacy_ai",
  "input_label",
  "input_placeholder",
  "send",
  "you",
  "sending",
  "not_sent",
  "retry",
  "empty",
  "connecting",
  "offline",
  "error",
] as const;

/** One text of a catalogue; throws when it is missing, so that no build lacks a word. */
function textOf(catalogue: string, id: string): string {
  const at = catalogue.indexOf(`msgid "widget.${id}"`);
  const found = /^msgstr "((?:[^"\\]|\\.)*)"$/m.exec(at < 0 ? "" : catalogue.slice(at));
  if (!found?.[1]) throw new Error(`widget.${id} is missing in a catalogue`);
  return JSON.parse(`"${found[1]}"`) as string;
}

/** `import texts from "virtual:first-texts"`: per language, the texts of `IDS` in that order. */
export function firstTexts(): Plugin {
  const name = "virtual:first-texts";
  return {
    name: "first-texts",
    resolveId: (id) => (id === name ? `\0${name}` : null),
    load(id) {
      if (id !== `\0${name}`) return null;
      const texts: Record<string, string[]> = {};
      for (const entry of readdirSync(LOCALES, { withFileTypes: true })) {
        if (!entry.isDirectory()) continue;
        const file = join(LOCALES, entry.name, "LC_MESSAGES", "customer.po");
        this.addWatchFile(file);
        const catalogue = readFileSync(file, "utf8");
        texts[entry.name.replace("_", "-")] = IDS.map((text) => textOf(catalogue, text));
      }
      return `export const ids = ${JSON.stringify(IDS)}; export default ${JSON.stringify(texts)};`;
    },
  };
}
