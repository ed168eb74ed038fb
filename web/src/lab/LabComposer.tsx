import { Mic, Paperclip, SendHorizontal, Square, X } from "lucide-react";
import { useEffect, useId, useRef, useState } from "react";
import type { LabLine } from "../api/types";
import { useMicrophone } from "../audio/microphone";
import { telephoneWav } from "../audio/sound";
import { useI18n } from "../i18n/I18n";
import { Button, IconButton } from "../ui/Button";
import { LabError } from "./LabError";
import type { Question } from "./personas";
import type { Acting } from "./useLab";

/** What the lab takes at once, all files together. */
const BYTES_MAX = 20_000_000;

/** What the next text is for, other than beginning anew: answering a line, or putting another text in its place. */
export interface Aim {
  verb: "write" | "edit";
  line: LabLine;
  /** The line to name to the provider: this one, or the beginning of its thread. */
  target: string;
}

interface Props {
  acting: Acting;
  aim: Aim | null;
  onAim: (aim: Aim | null) => void;
  questions: Question[];
  /** Whether messages have one here. */
  subject: boolean;
  /** Whether there are places to write to besides the direct conversation. */
  rooms: boolean;
}

function answerSubject(line: LabLine): string {
  const subject = line.subject ?? "";
  return subject === "" || /^re:/i.test(subject) ? subject : `Re: ${subject}`;
}

export function LabComposer({ acting, aim, onAim, questions, subject, rooms }: Props) {
  const { t, formats } = useI18n();
  const id = useId();
  const area = useRef<HTMLTextAreaElement>(null);
  const picker = useRef<HTMLInputElement>(null);
  const [text, setText] = useState("");
  const [about, setAbout] = useState("");
  const [files, setFiles] = useState<File[]>([]);
  const [trouble, setTrouble] = useState<unknown>(null);
  const microphone = useMicrophone((recording) => {
    telephoneWav(recording).then((file) => setFiles((all) => [...all, file]), setTrouble);
  });
  const editing = aim?.verb === "edit";
  const quoted = aim?.line.subject ?? aim?.line.text.slice(0, 80) ?? "";
  const size = files.reduce((sum, file) => sum + file.size, 0);
  const sendable = (text.trim() !== "" || (files.length > 0 && !editing)) && size <= BYTES_MAX;

  const [taken, setTaken] = useState(aim);
  if (taken !== aim) {
    setTaken(aim);
    if (aim?.verb === "edit") setText(aim.line.text);
    else if (aim !== null) setAbout(answerSubject(aim.line));
  }
  useEffect(() => {
    if (aim !== null) area.current?.focus();
  }, [aim]);

  function leave(): void {
    onAim(null);
    setText("");
    setAbout("");
  }

  function send(): void {
    if (!sendable || acting.isPending) return;
    setText("");
    setFiles([]);
    setTrouble(null);
    acting.mutate(
      {
        verb: aim?.verb ?? "write",
        text,
        subject: aim === null || subject ? about.trim() : "",
        target: aim?.target ?? null,
        files: editing ? [] : files,
      },
      {
        onSuccess: () => {
          onAim(null);
          if (subject) setAbout("");
        },
        onError: () => {
          // Nothing that was written is lost.
          setText(text);
          setFiles(files);
        },
      },
    );
  }

  return (
    <form
      className="lab-composer"
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      {aim === null && text === "" && questions.length > 0 && (
        <div className="samples" role="group" aria-label={t("lab.samples")}>
          {questions.map((one) => (
            <button
              key={one.subject}
              type="button"
              dir="auto"
              onClick={() => {
                setText(one.text);
                if (subject) setAbout(one.subject);
                area.current?.focus();
              }}
            >
              {one.subject}
            </button>
          ))}
        </div>
      )}
      {aim !== null && (
        <p className="answering">
          <span>
            {editing ? t("lab.editing", { subject: quoted }) : t("lab.answering", { subject: quoted })}
          </span>
          <IconButton icon={X} label={t("action.cancel")} onClick={leave} />
        </p>
      )}
      {(subject || (rooms && aim === null)) && !editing && (
        <div className="lab-about">
          <label htmlFor={`${id}-about`}>{subject ? t("new.subject") : t("lab.room")}</label>
          <input
            id={`${id}-about`}
            dir="auto"
            value={about}
            placeholder={subject ? undefined : t("lab.room_hint")}
            onChange={(event) => setAbout(event.target.value)}
          />
        </div>
      )}
      <textarea
        ref={area}
        rows={subject ? 4 : 2}
        dir="auto"
        value={text}
        aria-label={t("new.text")}
        placeholder={t("lab.write")}
        onChange={(event) => setText(event.target.value)}
        onKeyDown={(event) => {
          if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
            event.preventDefault();
            send();
          }
        }}
      />
      {files.length > 0 && (
        <ul className="files" aria-label={t("message.files")}>
          {files.map((file, index) => (
            <li key={`${file.name}-${index}`} className="file">
              <Paperclip aria-hidden size={14} />
              <bdi>{file.name}</bdi>
              <span className="file-size">{formats.size(file.size)}</span>
              <IconButton
                icon={X}
                label={t("composer.remove_file", { name: file.name })}
                onClick={() => setFiles((all) => all.filter((other) => other !== file))}
              />
            </li>
          ))}
        </ul>
      )}
      {size > BYTES_MAX && (
        <p className="field-error">{t("lab.too_large", { size: formats.size(BYTES_MAX) })}</p>
      )}
      <LabError error={trouble ?? acting.error} />
      <div className="composer-foot">
        {!editing && (
          <>
            <IconButton
              icon={Paperclip}
              label={t("composer.attach")}
              onClick={() => picker.current?.click()}
            />
            <input
              ref={picker}
              type="file"
              multiple
              hidden
              onChange={(event) => {
                const picked = [...(event.target.files ?? [])];
                setFiles((all) => [...all, ...picked]);
                event.target.value = "";
              }}
            />
            {microphone.recording ? (
              <Button icon={Square} tone="danger" onClick={microphone.end}>
                {t("lab.stop_recording", { at: formats.length(microphone.seconds) })}
              </Button>
            ) : (
              <IconButton
                icon={Mic}
                label={t("lab.voice_note")}
                onClick={() => {
                  setTrouble(null);
                  microphone.begin().catch(setTrouble);
                }}
              />
            )}
          </>
        )}
        <span className="composer-state" />
        <Button
          type="submit"
          tone="primary"
          icon={SendHorizontal}
          busy={acting.isPending}
          disabled={!sendable}
          title="Ctrl+Enter"
        >
          {editing ? t("lab.save") : t("lab.send")}
        </Button>
      </div>
    </form>
  );
}
