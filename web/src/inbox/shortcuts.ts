import { useEffect, useRef } from "react";

/** The keys of the inbox, in the order of the help sheet. Their meaning is `keys.<name>` in the catalogue. */
export const SHORTCUTS = [
  { key: "j", name: "next" },
  { key: "k", name: "previous" },
  { key: "Enter", name: "open" },
  { key: "r", name: "reply" },
  { key: "n", name: "note" },
  { key: "t", name: "take_over" },
  { key: "/", name: "search" },
  { key: "Ctrl+Enter", name: "send" },
  { key: "Esc", name: "leave" },
  { key: "?", name: "help" },
] as const;

function typing(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    (target.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(target.tagName))
  );
}

/** Runs `act` on a bare key, except where keys are text or a dialog is open. */
export function useShortcut(key: string, act: () => void, enabled = true): void {
  const current = useRef(act);
  useEffect(() => {
    current.current = act;
  });
  useEffect(() => {
    if (!enabled) return;
    const onKey = (event: KeyboardEvent) => {
      if (event.key !== key || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented)
        return;
      if (typing(event.target) || document.querySelector("dialog[open]") !== null) return;
      event.preventDefault();
      current.current();
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, [key, enabled]);
}
