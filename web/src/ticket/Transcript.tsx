import { useI18n } from "../i18n/I18n";
import { isRtl } from "../i18n/languages";
import type { Segment } from "./hearing";

interface Props {
  segments: Segment[];
  language: string | null;
  /** The second that is being played; null in silence. */
  position: number | null;
  /** Missing where the recording cannot be played. */
  onSeek: ((second: number) => void) | undefined;
}

/** What was said, piece by piece; a click on a piece plays it. */
export function Transcript({ segments, language, position, onSeek }: Props) {
  const { t, formats } = useI18n();
  return (
    <ol
      className="transcript"
      aria-label={t("audio.transcript")}
      lang={language ?? undefined}
      dir={language === null ? "auto" : isRtl(language) ? "rtl" : "ltr"}
    >
      {segments.map((segment) => {
        const spoken = position !== null && position >= segment.start && position < segment.end;
        const at = (
          <time dateTime={`PT${segment.start}S`} dir="ltr">
            {formats.length(segment.start)}
          </time>
        );
        return (
          <li key={segment.start} data-spoken={spoken || undefined}>
            {onSeek === undefined ? (
              at
            ) : (
              <button
                type="button"
                aria-label={t("audio.play_from", { at: formats.length(segment.start) })}
                onClick={() => onSeek(segment.start)}
              >
                {at}
              </button>
            )}
            <span>{segment.text}</span>
          </li>
        );
      })}
    </ol>
  );
}
