/** Languages of the agents' surface, by their own names. */
export const LANGUAGES = [
  { tag: "en", name: "English" },
  { tag: "de", name: "Deutsch" },
  { tag: "es", name: "Español" },
  { tag: "fr", name: "Français" },
  { tag: "ja", name: "日本語" },
  { tag: "ar", name: "العربية" },
] as const;

export type Language = (typeof LANGUAGES)[number]["tag"];

const STORED = "autocrm.language";
const RTL = new Set(["ar", "fa", "he", "ur"]);

export function isRtl(language: string | null | undefined): boolean {
  return RTL.has((language ?? "").split("-")[0] ?? "");
}

export function supported(tag: string | null | undefined): Language | null {
  const base = (tag ?? "").toLowerCase().split("-")[0];
  return LANGUAGES.find((language) => language.tag === base)?.tag ?? null;
}

/** The language chosen on this device, else the browser's. */
export function firstLanguage(): Language {
  const wanted = [localStorage.getItem(STORED), ...navigator.languages];
  return wanted.map(supported).find((tag) => tag !== null) ?? "en";
}

export function chosenLanguage(): Language | null {
  return supported(localStorage.getItem(STORED));
}

export function rememberLanguage(language: Language): void {
  localStorage.setItem(STORED, language);
}
