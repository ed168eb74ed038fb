import { useSyncExternalStore } from "react";

let now = Date.now();
const listeners = new Set<() => void>();

setInterval(() => {
  now = Date.now();
  for (const listener of listeners) listener();
}, 30_000);

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** The time in milliseconds, fresh to half a minute: for texts such as "3 min ago". */
export function useNow(): number {
  return useSyncExternalStore(subscribe, () => now);
}
