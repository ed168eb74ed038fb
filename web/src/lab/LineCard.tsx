import { ExternalLink, Paperclip, Pencil, Reply, SmilePlus, Trash2 } from "lucide-react";
import { useState } from "react";
import type { LabLine } from "../api/types";
import { useI18n } from "../i18n/I18n";
import { isRtl } from "../i18n/languages";
import { Linked } from "../ticket/Linked";
import { MailFrame } from "../ticket/MailFrame";
import { Badge, type Tone } from "../ui/Badge";
import { IconButton } from "../ui/Button";
import { Menu } from "../ui/Menu";

const REACTIONS = ["👍", "❤️", "🎉", "😕", "👀"];
const TONES: Record<string, Tone> = {
  delivered: "good",
  read: "good",
  failed: "bad",
  undelivered: "bad",
  edited: "neutral",
  deleted: "neutral",
};

interface Props {
  line: LabLine;
  /** Each is missing where it is not possible. */
  onAnswer: (() => void) | undefined;
  onEdit: (() => void) | undefined;
  onDelete: (() => void) | undefined;
  onReact: ((reaction: string) => void) | undefined;
  onPress: ((label: string) => void) | undefined;
}

/** One thing that the customer's screen shows, with all that came with it. */
export function LineCard({ line, onAnswer, onEdit, onDelete, onReact, onPress }: Props) {
  const { t, has, formats } = useI18n();
  const deleted = line.state === "deleted";
  const reactions = line.headers.filter(([name]) => name === "reactions").map(([, value]) => value);
  return (
    <article className="line" data-mine={line.mine || undefined}>
      <div className="line-box">
        {line.subject && (
          <h3 className="line-subject" dir="auto">
            {line.subject}
          </h3>
        )}
        {deleted ? <p className="muted">{t("message.deleted")}</p> : <LineText line={line} />}
        {line.files.length > 0 && (
          <ul className="files" aria-label={t("message.files")}>
            {line.files.map((name) => (
              <li key={name} className="file">
                <Paperclip aria-hidden size={14} />
                <bdi>{name}</bdi>
              </li>
            ))}
          </ul>
        )}
        {!deleted && <Actions line={line} onPress={onPress} />}
        {reactions.length > 0 && <p className="line-reactions">{reactions.join(" ")}</p>}
        <footer className="line-meta">
          <time dateTime={line.at} title={formats.moment(line.at)}>
            {formats.clock(line.at)}
          </time>
          {line.state && (
            <Badge tone={TONES[line.state] ?? "neutral"}>
              {has(`lab.state.${line.state}`) ? t(`lab.state.${line.state}`) : line.state}
            </Badge>
          )}
          <span className="line-tools">
            {onAnswer && <IconButton icon={Reply} label={t("composer.reply")} onClick={onAnswer} />}
            {onReact && (
              <Menu label={t("lab.react")} trigger={<SmilePlus aria-hidden size={15} />}>
                {(close) => (
                  <span className="reactions">
                    {REACTIONS.map((one) => (
                      <button
                        key={one}
                        type="button"
                        onClick={() => {
                          onReact(one);
                          close();
                        }}
                      >
                        {one}
                      </button>
                    ))}
                  </span>
                )}
              </Menu>
            )}
            {onEdit && <IconButton icon={Pencil} label={t("lab.edit")} onClick={onEdit} />}
            {onDelete && <IconButton icon={Trash2} label={t("lab.delete")} onClick={onDelete} />}
          </span>
        </footer>
        {line.headers.length > 0 && (
          <details className="line-inside">
            <summary>{t("lab.face.headers")}</summary>
            <dl
              className="mail-headers"
              dir="ltr"
              tabIndex={0}
              role="group"
              aria-label={t("lab.face.headers")}
            >
              {line.headers.map(([name, value], index) => (
                <div key={`${name}-${index}`}>
                  <dt>{name}</dt>
                  <dd>{value}</dd>
                </div>
              ))}
            </dl>
          </details>
        )}
      </div>
    </article>
  );
}

/** Whether there is more in the HTML than lines. */
const FORMATTED = /<(?!\/?(?:p|br|div)\b)/i;

/** The words; of a letter (it has a subject) its formatted face first, of a message on request. */
function LineText({ line }: { line: LabLine }) {
  const { t } = useI18n();
  const letter = line.subject != null;
  const html = line.html != null && (letter || FORMATTED.test(line.html)) ? line.html : null;
  const [formatted, setFormatted] = useState(html !== null && letter);
  return (
    <>
      {html !== null && letter && (
        <div className="segmented" role="group" aria-label={t("lab.faces")}>
          <button type="button" aria-pressed={formatted} onClick={() => setFormatted(true)}>
            {t("lab.face.html")}
          </button>
          <button type="button" aria-pressed={!formatted} onClick={() => setFormatted(false)}>
            {t("lab.face.text")}
          </button>
        </div>
      )}
      {html !== null && formatted ? (
        <MailFrame html={html} title={line.subject ?? t("lab.face.html")} />
      ) : (
        line.text !== "" && (
          <p
            className="line-text"
            lang={line.language ?? undefined}
            dir={line.language ? (isRtl(line.language) ? "rtl" : "ltr") : "auto"}
          >
            <Linked text={line.text} />
          </p>
        )
      )}
      {html !== null && !letter && (
        <button
          type="button"
          className="text-button line-face"
          aria-pressed={formatted}
          onClick={() => setFormatted(!formatted)}
        >
          {formatted ? t("message.show_text") : t("message.show_formatted")}
        </button>
      )}
    </>
  );
}

/** Buttons that came with a line. A link that stands in the text already is not shown twice. */
function Actions({ line, onPress }: { line: LabLine; onPress: ((label: string) => void) | undefined }) {
  const { t } = useI18n();
  const shown = line.actions.filter((label) => !line.text.includes(label));
  if (shown.length === 0) return null;
  return (
    <div className="line-actions" role="group" aria-label={t("lab.actions")}>
      {shown.map((label) =>
        /^https?:\/\//.test(label) ? (
          <a key={label} className="button" href={label} target="_blank" rel="noopener noreferrer">
            <ExternalLink aria-hidden size={14} />
            {label}
          </a>
        ) : (
          <button
            key={label}
            type="button"
            className="button"
            disabled={onPress === undefined}
            dir="auto"
            onClick={() => onPress?.(label)}
          >
            {label}
          </button>
        ),
      )}
    </div>
  );
}
