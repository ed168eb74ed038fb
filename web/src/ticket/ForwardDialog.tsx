import { useMutation } from "@tanstack/react-query";
import { useId, useMemo, useState } from "react";
import { useLocation } from "wouter";
import { api, unwrap } from "../api/client";
import { newKey } from "../api/key";
import type { Message, Ticket } from "../api/types";
import { useI18n } from "../i18n/I18n";
import { Button } from "../ui/Button";
import { Dialog } from "../ui/Dialog";
import { Field } from "../ui/Field";
import { FormError } from "../ui/FormError";

interface Props {
  ticket: Ticket;
  message: Message;
  onClose: () => void;
}

/** Passes a message on to somebody outside; their answer is a ticket of its own, linked to this one. */
export function ForwardDialog({ ticket, message, onClose }: Props) {
  const { t } = useI18n();
  const [, navigate] = useLocation();
  const textId = useId();
  const [to, setTo] = useState("");
  const [text, setText] = useState("");
  const content = JSON.stringify([to, text]);
  const key = useMemo(() => ({ content, value: newKey() }).value, [content]);
  const forward = useMutation({
    mutationFn: () =>
      unwrap(
        api.POST("/api/v1/tickets/{ticket_id}/forward", {
          params: { path: { ticket_id: ticket.id }, header: { "idempotency-key": key } },
          body: { to: to.trim(), text, message_id: message.id },
        }),
      ),
    onSuccess: (made) => {
      onClose();
      navigate(`/inbox/open/${made.id}`);
    },
  });
  return (
    <Dialog title={t("forward.title")} onClose={onClose}>
      <form
        className="stack"
        onSubmit={(event) => {
          event.preventDefault();
          forward.mutate();
        }}
      >
        <Field
          label={t("new.to")}
          required
          autoFocus
          dir="ltr"
          value={to}
          onChange={(event) => setTo(event.target.value)}
        />
        <div className="field">
          <label htmlFor={textId}>{t("forward.text")}</label>
          <textarea
            id={textId}
            rows={4}
            dir="auto"
            value={text}
            onChange={(event) => setText(event.target.value)}
          />
        </div>
        <blockquote className="quoted" dir="auto">
          {message.text.slice(0, 600)}
        </blockquote>
        <FormError error={forward.error} />
        <div className="actions">
          <Button onClick={onClose}>{t("action.cancel")}</Button>
          <Button type="submit" tone="primary" busy={forward.isPending}>
            {t("forward.submit")}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
