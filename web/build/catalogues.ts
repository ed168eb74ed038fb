import type { Plugin } from "vite";

/** A message of a catalogue: one text, or one per plural form. */
export type Entry = string | string[];

const QUOTED = /"((?:[^"\\]|\\.)*)"/;

function unquote(line: string): string {
  const found = QUOTED.exec(line);
  return found ? (JSON.parse(`"${found[1] ?? ""}"`) as string) : "";
}

/**
 * Reads a gettext catalogue as the house writes them: dotted ids, UTF-8, no contexts.
 * The header is left out.
 */
export function parseCatalogue(source: string): Record<string, Entry> {
  const entries: Record<string, Entry> = {};
  for (const block of source.split(/\n\s*\n/)) {
    let id = "";
    let plural = false;
    const forms: string[] = [];
    let append: (text: string) => void = () => undefined;
    for (const line of block.split("\n")) {
      if (line.startsWith("msgid_plural ")) {
        plural = true;
        append = () => undefined;
      } else if (line.startsWith("msgid ")) {
        id = unquote(line);
        append = (text) => (id += text);
      } else if (line.startsWith("msgstr")) {
        const index = forms.push(unquote(line)) - 1;
        append = (text) => (forms[index] = `${forms[index] ?? ""}${text}`);
      } else if (line.startsWith('"')) {
        append(unquote(line));
      }
    }
    if (id !== "") entries[id] = plural ? forms : (forms[0] ?? "");
  }
  return entries;
}

/** Lets a `.po` file be imported: its default export is the catalogue by id. */
export function catalogues(): Plugin {
  return {
    name: "catalogues",
    transform: {
      filter: { id: /\.po$/ },
      handler(source) {
        return { code: `export default ${JSON.stringify(parseCatalogue(source))}`, map: null };
      },
    },
  };
}
