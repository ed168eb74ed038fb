import { AudioLines, FileAudio, Mic, Square, X } from "lucide-react";
import { useRef, useState } from "react";
import { useMicrophone } from "../audio/microphone";
import { telephoneWav } from "../audio/sound";
import { useI18n } from "../i18n/I18n";
import { Button, IconButton } from "../ui/Button";
import { LabError } from "./LabError";
import { RECORDINGS, fetchRecording } from "./recordings";

interface Props {
  /** What the call does just now. */
  state: string;
  /** What was said is on its way. */
  busy: boolean;
  onSpoken: (wav: File) => void;
}

/** Speaking into the call: by the microphone, or by a recording. Both become what a telephone carries. */
export function Speak({ state, busy, onSpoken }: Props) {
  const { t, formats } = useI18n();
  const picker = useRef<HTMLInputElement>(null);
  const [converting, setConverting] = useState(false);
  const [trouble, setTrouble] = useState<unknown>(null);
  const microphone = useMicrophone((recording) => void speak(recording));
  const open = state === "listening";
  const working = converting || busy;

  async function speak(recording: Blob | Promise<Blob>): Promise<void> {
    setConverting(true);
    setTrouble(null);
    try {
      onSpoken(await telephoneWav(await recording));
    } catch (error) {
      setTrouble(error);
    } finally {
      setConverting(false);
    }
  }

  return (
    <div className="speak">
      <LabError error={trouble} />
      {microphone.recording ? (
        <div className="speaking">
          <Button tone="primary" icon={Square} onClick={microphone.end}>
            {t("lab.done_speaking")}
          </Button>
          <div
            className="level"
            role="meter"
            aria-label={t("lab.level")}
            aria-valuemin={0}
            aria-valuemax={100}
            aria-valuenow={Math.round(microphone.level * 100)}
          >
            <span style={{ width: `${Math.round(microphone.level * 100)}%` }} />
          </div>
          <span className="player-time" dir="ltr">
            {formats.length(microphone.seconds)}
          </span>
          <IconButton icon={X} label={t("action.cancel")} onClick={microphone.cancel} />
        </div>
      ) : (
        <div className="speaking">
          <Button
            tone="primary"
            icon={Mic}
            disabled={!open}
            busy={working}
            onClick={() => {
              setTrouble(null);
              microphone.begin().catch(setTrouble);
            }}
          >
            {t("lab.speak")}
          </Button>
          <Button icon={FileAudio} disabled={!open} busy={working} onClick={() => picker.current?.click()}>
            {t("lab.play_recording")}
          </Button>
          <input
            ref={picker}
            type="file"
            accept="audio/*"
            hidden
            aria-label={t("lab.play_recording")}
            onChange={(event) => {
              const [file] = event.target.files ?? [];
              event.target.value = "";
              if (file) void speak(file);
            }}
          />
          <span className="muted small speak-hint" role="status">
            {working ? t("lab.converting") : open ? t("lab.speak_now") : t("lab.speak_later")}
          </span>
        </div>
      )}
      {!microphone.recording && (
        <div className="samples" role="group" aria-label={t("lab.recordings")}>
          {RECORDINGS.map((one) => (
            <button
              key={one.path}
              type="button"
              lang={one.language}
              dir="auto"
              disabled={!open || working}
              onClick={() => void speak(fetchRecording(one))}
            >
              <AudioLines aria-hidden size={14} />
              {one.words}
            </button>
          ))}
        </div>
      )}
      {working && <progress aria-label={t("lab.converting")} />}
    </div>
  );
}
