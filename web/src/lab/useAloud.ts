import { useEffect, useRef, useState } from "react";
import type { LabLine } from "../api/types";

const STORED = "autocrm.lab.aloud";

export interface Aloud {
  /** Whether this browser can speak at all. */
  able: boolean;
  on: boolean;
  set: (on: boolean) => void;
}

/** Reads aloud what the other side says while `live`; what was said before is not read again. */
export function useAloud(lines: LabLine[], live: boolean): Aloud {
  const able = "speechSynthesis" in window;
  const [on, setOn] = useState(() => localStorage.getItem(STORED) !== "off");
  const known = useRef<Set<string> | null>(null);

  useEffect(() => {
    const before = known.current;
    known.current = new Set(lines.map((line) => line.id));
    if (!able || !on || !live || before === null) return;
    for (const line of lines) {
      if (line.mine || !line.spoken || before.has(line.id)) continue;
      const words = new SpeechSynthesisUtterance(line.text);
      if (line.language) words.lang = line.language;
      speechSynthesis.speak(words);
    }
  }, [lines, able, on, live]);

  useEffect(() => {
    if (!live && able) speechSynthesis.cancel();
  }, [live, able]);
  useEffect(() => () => (able ? speechSynthesis.cancel() : undefined), [able]);

  return {
    able,
    on,
    set: (wanted) => {
      localStorage.setItem(STORED, wanted ? "on" : "off");
      if (!wanted) speechSynthesis.cancel();
      setOn(wanted);
    },
  };
}
