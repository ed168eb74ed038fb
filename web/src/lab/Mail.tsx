import { Reply } from "lucide-react";
import { useState } from "react";
import type { LabMail } from "../api/types";
import { useI18n } from "../i18n/I18n";
import { MailFrame } from "../ticket/MailFrame";
import { Button } from "../ui/Button";

type Face = "html" | "text" | "headers";

interface Props {
  mail: LabMail;
  open: boolean;
  onReply: () => void;
}

/** A mail exactly as the customer has got it: its HTML, its plain text, its headers. */
export function Mail({ mail, open, onReply }: Props) {
  const { t, formats } = useI18n();
  const faces: Face[] = mail.html === null ? ["text", "headers"] : ["html", "text", "headers"];
  const [face, setFace] = useState<Face>(faces[0] ?? "text");
  const from = mail.headers.find(([name]) => name?.toLowerCase() === "from")?.[1] ?? "";
  return (
    <details className="mail" open={open}>
      <summary>
        <span className="mail-subject" dir="auto">
          {mail.subject}
        </span>
        <span className="mail-line">
          <bdi>{from}</bdi>
          <time dateTime={mail.received_at}>{formats.clock(mail.received_at)}</time>
        </span>
      </summary>
      <div className="mail-body">
        <div className="mail-tools">
          <div className="segmented" role="group" aria-label={t("lab.faces")}>
            {faces.map((one) => (
              <button key={one} type="button" aria-pressed={face === one} onClick={() => setFace(one)}>
                {t(`lab.face.${one}`)}
              </button>
            ))}
          </div>
          <Button icon={Reply} onClick={onReply}>
            {t("composer.reply")}
          </Button>
        </div>
        {face === "html" && mail.html !== null && <MailFrame html={mail.html} title={mail.subject} />}
        {face === "text" && (
          <p className="message-text" dir="auto">
            {mail.text}
          </p>
        )}
        {face === "headers" && (
          <dl className="mail-headers" dir="ltr" tabIndex={0} role="group" aria-label={t("lab.face.headers")}>
            {mail.headers.map(([name, value], index) => (
              <div key={`${name}-${index}`}>
                <dt>{name}</dt>
                <dd>{value}</dd>
              </div>
            ))}
          </dl>
        )}
      </div>
    </details>
  );
}
