import {
  BookOpen,
  Bot,
  Forward,
  Gauge,
  Languages,
  Lock,
  Paperclip,
  Reply,
  ShieldAlert,
  ShieldQuestion,
} from "lucide-react";
import { useState } from "react";
import { useContactName } from "../api/contactName";
import { useChannelType } from "../api/queries";
import type { Message, Ticket } from "../api/types";
import { useI18n } from "../i18n/I18n";
import { isRtl } from "../i18n/languages";
import { Avatar } from "../ui/Avatar";
import { Badge } from "../ui/Badge";
import { IconButton } from "../ui/Button";
import { Deliveries } from "./Deliveries";
import { Files } from "./Files";
import { Linked } from "./Linked";
import { MailFrame } from "./MailFrame";
import { isTranscript } from "./hearing";
import { addresses } from "./recipients";

interface Props {
  ticket: Ticket;
  message: Message;
  onForward: (message: Message) => void;
  onReply: () => void;
}

/** A number that the AI gave with its answer; null where there is none. */
function confidence(message: Message): number | null {
  const value = message.ai?.["confidence"];
  return typeof value === "number" ? value : null;
}

export function MessageCard({ ticket, message, onForward, onReply }: Props) {
  const { t, formats } = useI18n();
  const look = message.direction === "note" ? "note" : message.author === "contact" ? "in" : message.author;
  const who = useContactName(ticket);
  const name =
    message.author_name ?? (message.author === "contact" ? who.name : t(`author.${message.author}`));
  const copies = addresses(message.recipients, "cc");
  const sure = confidence(message);
  const incoming = message.direction === "in";
  // Where a sender is only claimed, an unknown proof is worth a word; a provider that vouches needs none.
  const claims = useChannelType(ticket.channel)?.capabilities.threads === "references";
  return (
    <article className={`message message-${look}`} data-direction={message.direction}>
      <Avatar name={name} />
      <div className="message-box">
        <header className="message-head">
          <bdi className="message-author">{name}</bdi>
          {message.direction === "note" && (
            <Badge tone="warn" icon={Lock}>
              {t("message.note")}
            </Badge>
          )}
          {message.author === "ai" && (
            <Badge tone="ai" icon={Bot}>
              {t("author.ai")}
            </Badge>
          )}
          {message.author === "ai" && sure !== null && message.ai?.["decision"] === "send" && (
            <Badge icon={Gauge} title={t("message.confidence")}>
              {formats.percent(sure)}
            </Badge>
          )}
          {incoming && message.authenticity === "fail" && (
            <Badge tone="bad" icon={ShieldAlert} title={t("message.forged_hint")}>
              {t("message.forged")}
            </Badge>
          )}
          {incoming && message.authenticity === "unknown" && claims && (
            <Badge icon={ShieldQuestion} title={t("message.unverified_hint")}>
              {t("message.unverified")}
            </Badge>
          )}
          {message.automation !== "none" && incoming && (
            <Badge>{t(`automation.${message.automation}`)}</Badge>
          )}
          {message.language && message.language !== ticket.language && (
            <Badge icon={Languages}>{formats.languageName(message.language)}</Badge>
          )}
          <span className="message-tools">
            <time dateTime={message.created_at} title={formats.moment(message.created_at)}>
              {formats.clock(message.created_at)}
            </time>
            {incoming && message.deleted_at === null && (
              <>
                <IconButton icon={Reply} label={t("composer.reply")} onClick={onReply} />
                <IconButton icon={Forward} label={t("forward.title")} onClick={() => onForward(message)} />
              </>
            )}
          </span>
        </header>
        {copies.length > 0 && (
          <p className="message-copies">
            {t("message.copies")} <bdi>{formats.list(copies)}</bdi>
          </p>
        )}
        <MessageContent message={message} />
        <Files attachments={message.attachments.filter((file) => !file.inline)} icon={Paperclip} />
        {message.citations.length > 0 && (
          <ul className="citations" aria-label={t("message.sources")}>
            {message.citations.map((citation) => (
              <li key={citation.key + citation.quote.slice(0, 40)}>
                <BookOpen aria-hidden size={14} />
                <span>
                  {citation.url ? (
                    <a href={citation.url} target="_blank" rel="noopener noreferrer" title={citation.quote}>
                      {citation.title}
                    </a>
                  ) : (
                    citation.title
                  )}
                </span>
              </li>
            ))}
          </ul>
        )}
        <Deliveries deliveries={message.deliveries} ticketId={ticket.id} />
      </div>
    </article>
  );
}

/** The words of a message; its HTML, quote and signature on request. */
export function MessageContent({ message }: { message: Message }) {
  const { t } = useI18n();
  const formatted = message.direction === "in" && message.html !== null;
  const [asSent, setAsSent] = useState(formatted && message.text.trim() === "");
  const silent = isTranscript(message) || (message.text === "" && message.html === null);
  if (message.deleted_at !== null) return <p className="muted message-text">{t("message.deleted")}</p>;
  return (
    <>
      {asSent && message.html !== null ? (
        <MailFrame html={message.html} attachments={message.attachments} title={t("message.formatted")} />
      ) : (
        !silent && (
          <p
            className="message-text"
            lang={message.language ?? undefined}
            dir={message.language ? (isRtl(message.language) ? "rtl" : "ltr") : "auto"}
          >
            <Linked text={message.text} />
          </p>
        )
      )}
      {(formatted || message.quoted || message.signature) && (
        <div className="message-more">
          {formatted && message.text.trim() !== "" && (
            <button
              type="button"
              className="text-button"
              aria-pressed={asSent}
              onClick={() => setAsSent(!asSent)}
            >
              {asSent ? t("message.show_text") : t("message.show_formatted")}
            </button>
          )}
          {!asSent && message.quoted && (
            <details>
              <summary>{t("message.show_quoted")}</summary>
              <blockquote className="quoted" dir="auto">
                <Linked text={message.quoted} />
              </blockquote>
            </details>
          )}
          {!asSent && message.signature && (
            <details>
              <summary>{t("message.show_signature")}</summary>
              <p className="quoted" dir="auto">
                <Linked text={message.signature} />
              </p>
            </details>
          )}
        </div>
      )}
      {message.edited_at !== null && <p className="muted small">{t("message.edited")}</p>}
    </>
  );
}
