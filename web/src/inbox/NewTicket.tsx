import { useMutation } from "@tanstack/react-query";
import { useId, useMemo, useState } from "react";
import { api, unwrap } from "../api/client";
import { newKey } from "../api/key";
import { useAccounts, useChannelTypes } from "../api/queries";
import type { Ticket } from "../api/types";
import { useI18n } from "../i18n/I18n";
import { Button } from "../ui/Button";
import { Dialog } from "../ui/Dialog";
import { Field, Select } from "../ui/Field";
import { FormError } from "../ui/FormError";
import { Spinner } from "../ui/Spinner";

interface Props {
  onClose: () => void;
  onMade: (ticket: Ticket) => void;
}

/** Begins a conversation on any connected channel that can. */
export function NewTicket({ onClose, onMade }: Props) {
  const { t } = useI18n();
  const accounts = useAccounts();
  const types = useChannelTypes();
  const textId = useId();
  const [chosen, setChosen] = useState("");
  const [to, setTo] = useState("");
  const [name, setName] = useState("");
  const [subject, setSubject] = useState("");
  const [text, setText] = useState("");

  const able = (accounts.data ?? []).filter(
    (account) => types.data?.find((type) => type.id === account.channel)?.capabilities.can_initiate,
  );
  const accountId = chosen || (able[0]?.id ?? "");
  const channel = able.find((account) => account.id === accountId)?.channel;
  const capabilities = types.data?.find((type) => type.id === channel)?.capabilities;

  const body = {
    account_id: accountId,
    to: to.trim(),
    text,
    ...(name.trim() ? { name: name.trim() } : {}),
    ...(capabilities?.subject && subject.trim() ? { subject: subject.trim() } : {}),
  };
  const content = JSON.stringify(body);
  // A retry of the same words is the same action; other words are another one.
  const key = useMemo(() => ({ content, value: newKey() }).value, [content]);
  const start = useMutation({
    mutationFn: () =>
      unwrap(api.POST("/api/v1/tickets", { body, params: { header: { "idempotency-key": key } } })),
    onSuccess: onMade,
  });

  return (
    <Dialog title={t("new.title")} onClose={onClose}>
      {accounts.isPending || types.isPending ? (
        <Spinner />
      ) : able.length === 0 ? (
        <p className="muted">{t("new.no_channel")}</p>
      ) : (
        <form
          className="stack"
          onSubmit={(event) => {
            event.preventDefault();
            start.mutate();
          }}
        >
          <Select label={t("new.from")} value={accountId} onChange={(event) => setChosen(event.target.value)}>
            {able.map((account) => (
              <option key={account.id} value={account.id}>
                {account.name}
              </option>
            ))}
          </Select>
          <div className="two">
            <Field
              label={t("new.to")}
              required
              value={to}
              dir="ltr"
              onChange={(event) => setTo(event.target.value)}
            />
            <Field label={t("new.name")} value={name} onChange={(event) => setName(event.target.value)} />
          </div>
          {capabilities?.subject && (
            <Field
              label={t("new.subject")}
              required
              maxLength={300}
              value={subject}
              onChange={(event) => setSubject(event.target.value)}
            />
          )}
          <div className="field">
            <label htmlFor={textId}>{t("new.text")}</label>
            <textarea
              id={textId}
              required
              rows={7}
              dir="auto"
              value={text}
              onChange={(event) => setText(event.target.value)}
            />
          </div>
          <FormError error={start.error} />
          <div className="actions">
            <Button onClick={onClose}>{t("action.cancel")}</Button>
            <Button type="submit" tone="primary" busy={start.isPending}>
              {t("composer.send")}
            </Button>
          </div>
        </form>
      )}
    </Dialog>
  );
}
