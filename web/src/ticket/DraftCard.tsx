import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Gauge, ScanEye } from "lucide-react";
import { useId, useState } from "react";
import { api, unwrap } from "../api/client";
import { keys } from "../api/keys";
import type { Message, Ticket } from "../api/types";
import { useI18n } from "../i18n/I18n";
import { isRtl } from "../i18n/languages";
import { Badge } from "../ui/Badge";
import { Button } from "../ui/Button";
import { FormError } from "../ui/FormError";
import { Linked } from "./Linked";

/** An answer that the AI has written and a person decides on. */
export function DraftCard({ ticket, message }: { ticket: Ticket; message: Message }) {
  const { t, formats } = useI18n();
  const client = useQueryClient();
  const id = useId();
  const [edited, setEdited] = useState<string | null>(null);
  const sure = message.ai?.["confidence"];
  const judge = useMutation({
    mutationFn: (accept: boolean) =>
      unwrap(
        api.POST("/api/v1/tickets/{ticket_id}/messages/{message_id}/verdict", {
          params: { path: { ticket_id: ticket.id, message_id: message.id } },
          body: { accept, ...(accept && edited !== null ? { text: edited } : {}) },
        }),
      ),
    onSettled: () => client.invalidateQueries({ queryKey: keys.ticket(ticket.id) }),
  });
  return (
    <article className="message message-draft" aria-labelledby={`${id}-title`}>
      <div className="message-box">
        <header className="message-head">
          <strong id={`${id}-title`}>{t("draft.title")}</strong>
          <Badge tone="review" icon={ScanEye}>
            {t("handoff.review")}
          </Badge>
          {typeof sure === "number" && (
            <Badge icon={Gauge} title={t("message.confidence")}>
              {formats.percent(sure)}
            </Badge>
          )}
        </header>
        {edited === null ? (
          <p
            className="message-text"
            lang={message.language ?? undefined}
            dir={message.language ? (isRtl(message.language) ? "rtl" : "ltr") : "auto"}
          >
            <Linked text={message.text} />
          </p>
        ) : (
          <textarea
            aria-label={t("draft.edit_label")}
            dir="auto"
            rows={10}
            value={edited}
            onChange={(event) => setEdited(event.target.value)}
          />
        )}
        <FormError error={judge.error} />
        <div className="actions">
          <Button tone="danger" busy={judge.isPending} onClick={() => judge.mutate(false)}>
            {t("draft.reject")}
          </Button>
          {edited === null ? (
            <Button onClick={() => setEdited(message.text)}>{t("draft.edit")}</Button>
          ) : (
            <Button onClick={() => setEdited(null)}>{t("action.cancel")}</Button>
          )}
          <Button tone="primary" busy={judge.isPending} onClick={() => judge.mutate(true)}>
            {t(edited === null ? "draft.accept" : "draft.accept_edited")}
          </Button>
        </div>
      </div>
    </article>
  );
}
