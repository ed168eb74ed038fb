import { useQuery } from "@tanstack/react-query";
import { Download, Ear, Mic, Pause, Play } from "lucide-react";
import { Problem } from "../api/problem";
import type { Attachment } from "../api/types";
import { Waveform } from "../audio/Waveform";
import { decode } from "../audio/sound";
import { usePlayback } from "../audio/usePlayback";
import { useI18n } from "../i18n/I18n";
import "../styles/audio.css";
import { Badge } from "../ui/Badge";
import { FileTrouble } from "./FileTrouble";
import { Transcript } from "./Transcript";
import { useFacts } from "./facts";
import { segmentsOf, spokenLanguage } from "./hearing";

/** What is fetched unasked; longer recordings wait for a click on play. */
const SMALL = 4_000_000;

async function fetched(url: string): Promise<AudioBuffer> {
  const answer = await fetch(url);
  if (!answer.ok) throw new Problem(`http_${answer.status}`, answer.status, "");
  return decode(await answer.arrayBuffer());
}

/** A recording: its player, and what was heard in it. */
export function Recording({ file }: { file: Attachment }) {
  const { t, formats } = useI18n();
  const sound = useQuery({
    queryKey: ["sound", file.id],
    enabled: file.size <= SMALL,
    staleTime: Infinity,
    retry: 1,
    queryFn: () => fetched(file.url),
  });
  const playback = usePlayback(sound.data);
  const language = spokenLanguage(file);
  const Icon = playback.playing ? Pause : Play;
  const named = { name: file.filename };
  return (
    <div
      className="recording"
      role="group"
      aria-label={file.spoken ? t("audio.spoken", named) : t("audio.recording", named)}
    >
      <div className="player">
        {sound.isError ? (
          <span className="player-button" data-mute>
            <Mic aria-hidden size={16} />
          </span>
        ) : (
          <button
            type="button"
            className="player-button"
            aria-label={playback.playing ? t("audio.pause", named) : t("audio.play", named)}
            aria-disabled={sound.isFetching || undefined}
            onClick={() => {
              if (sound.data) playback.toggle();
              else void sound.refetch();
            }}
          >
            <Icon aria-hidden size={16} />
          </button>
        )}
        {sound.data ? (
          <Waveform
            sound={sound.data}
            position={playback.position}
            label={t("audio.seek", named)}
            onSeek={playback.seek}
          />
        ) : (
          <span className="player-name">
            <bdi>{file.filename}</bdi> {sound.isError && <span>{t("audio.unplayable")}</span>}
          </span>
        )}
        {sound.data && (
          <span className="player-time" dir="ltr">
            {playback.playing || playback.position > 0 ? `${formats.length(playback.position)} / ` : ""}
            {formats.length(playback.duration)}
          </span>
        )}
        {language !== null && <Badge>{formats.languageName(language)}</Badge>}
        <a
          className="icon-button"
          href={file.url}
          download={file.filename}
          aria-label={t("audio.download", named)}
          title={t("audio.download", { name: `${file.filename}, ${formats.size(file.size)}` })}
        >
          <Download aria-hidden size={16} />
        </a>
      </div>
      <Heard
        file={file}
        position={playback.playing ? playback.position : null}
        onSeek={sound.data && ((second) => playback.seek(second, true))}
      />
    </div>
  );
}

interface HeardProps {
  file: Attachment;
  position: number | null;
  onSeek: ((second: number) => void) | undefined;
}

/** What has become of the speech: still being listened to, its words, or why there are none. */
function Heard({ file, position, onSeek }: HeardProps) {
  const { t } = useI18n();
  if (file.hearing === "waiting") return <Listening file={file} />;
  if (file.hearing === "failed") return <FileTrouble code={file.error_code} heard />;
  if (file.hearing !== "done") return null;
  const segments = segmentsOf(file);
  if (segments.length === 0) return <p className="muted small">{t("audio.nothing_said")}</p>;
  return (
    <Transcript segments={segments} language={spokenLanguage(file)} position={position} onSeek={onSeek} />
  );
}

function Listening({ file }: { file: Attachment }) {
  const { t, formats } = useI18n();
  const progress = useFacts().progress.get(file.id);
  return (
    <div className="listening" role="status">
      <Ear aria-hidden size={14} />
      <span>
        {progress
          ? t("audio.listening_at", { done: formats.length(progress.done), of: formats.length(progress.of) })
          : t("audio.listening")}
      </span>
      <progress
        aria-label={t("audio.listening")}
        {...(progress ? { value: progress.done, max: progress.of } : {})}
      />
    </div>
  );
}
