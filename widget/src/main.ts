import { Widget } from "./widget";

/** Reads its own script tag: `data-key` names the widget, `data-language` overrides the page's language. */
function begin(): void {
  const script = document.currentScript ?? document.querySelector("script[data-key][src*='widget.js']");
  if (!(script instanceof HTMLScriptElement)) return;
  const key = script.dataset["key"];
  if (!key || document.querySelector("autocrm-widget") !== null) return;
  const language = script.dataset["language"] ?? (document.documentElement.lang || navigator.language);
  const base = new URL(script.src, location.href);
  const show = () => new Widget(base, key, language).mount();
  if (document.body as HTMLElement | null) show();
  else addEventListener("DOMContentLoaded", show);
}

begin();
