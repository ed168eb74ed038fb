import { useLayoutEffect, type RefObject } from "react";

/** Shows the newest of `count` lines whenever there is one more; of a line taller than the window, its beginning. */
export function useFollowNewest(log: RefObject<HTMLElement | null>, count: number): void {
  useLayoutEffect(() => {
    const box = log.current;
    const newest = [...(box?.querySelectorAll<HTMLElement>(".line, .said, .call-mark") ?? [])].at(-1);
    if (!box || !newest) return;
    const top = newest.getBoundingClientRect().top - box.getBoundingClientRect().top + box.scrollTop;
    box.scrollTo({ top: top - 14 });
  }, [log, count]);
}
