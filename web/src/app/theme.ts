export const THEMES = ["system", "light", "dark"] as const;
export type Theme = (typeof THEMES)[number];

const STORED = "autocrm.theme";

export function chosenTheme(): Theme {
  return THEMES.find((theme) => theme === localStorage.getItem(STORED)) ?? "system";
}

/** Colours follow `color-scheme`, so one attribute turns the whole page. */
export function applyTheme(theme: Theme): void {
  if (theme === "system") delete document.documentElement.dataset["theme"];
  else document.documentElement.dataset["theme"] = theme;
}

export function rememberTheme(theme: Theme): void {
  localStorage.setItem(STORED, theme);
  applyTheme(theme);
}
