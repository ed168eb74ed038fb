import { useMemo, type KeyboardEvent, type PointerEvent } from "react";
import { useI18n } from "../i18n/I18n";
import { mono, peaks } from "./sound";

const BARS = 80;
const STEP = 5;

interface Props {
  sound: AudioBuffer;
  position: number;
  label: string;
  onSeek: (second: number) => void;
}

/** The picture of a recording, and its slider: arrow keys go five seconds, Home and End to the ends. Time runs left to right. */
export function Waveform({ sound, position, label, onSeek }: Props) {
  const { t, formats } = useI18n();
  const path = useMemo(
    () =>
      peaks(mono(sound), BARS)
        .map((height, index) => {
          const half = Math.max(0.6, height * 13);
          return `M${index * 3 + 1.5} ${14 - half}V${14 + half}`;
        })
        .join(""),
    [sound],
  );
  const { duration } = sound;
  const share = duration === 0 ? 0 : position / duration;

  function onKeyDown(event: KeyboardEvent): void {
    const to: Record<string, number> = {
      ArrowLeft: position - STEP,
      ArrowDown: position - STEP,
      ArrowRight: position + STEP,
      ArrowUp: position + STEP,
      Home: 0,
      End: duration,
    };
    const wanted = to[event.key];
    if (wanted === undefined) return;
    event.preventDefault();
    onSeek(wanted);
  }

  function onPointer(event: PointerEvent<HTMLDivElement>): void {
    if (event.buttons !== 1) return;
    const box = event.currentTarget.getBoundingClientRect();
    onSeek(((event.clientX - box.left) / box.width) * duration);
  }

  return (
    <div
      className="waveform"
      dir="ltr"
      role="slider"
      tabIndex={0}
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={Math.round(duration)}
      aria-valuenow={Math.round(position)}
      aria-valuetext={t("audio.position", { at: formats.length(position), of: formats.length(duration) })}
      onKeyDown={onKeyDown}
      onPointerDown={onPointer}
      onPointerMove={onPointer}
    >
      <svg viewBox={`0 0 ${BARS * 3} 28`} preserveAspectRatio="none" aria-hidden>
        <path d={path} className="waveform-rest" />
        <path d={path} className="waveform-done" style={{ clipPath: `inset(0 ${100 - share * 100}% 0 0)` }} />
      </svg>
    </div>
  );
}
