import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { MailOpen, Reply, SendHorizontal, X } from "lucide-react";
import { useDeferredValue, useId, useState } from "react";
import { api, unwrap } from "../api/client";
import { keys } from "../api/keys";
import type { LabMail } from "../api/types";
import { useI18n } from "../i18n/I18n";
import { useLiveEvents } from "../live/LiveProvider";
import { Button, IconButton } from "../ui/Button";
import { EmptyState } from "../ui/EmptyState";
import { ErrorState } from "../ui/ErrorState";
import { Field, Select } from "../ui/Field";
import { FormError } from "../ui/FormError";
import { Spinner } from "../ui/Spinner";
import { Mail } from "./Mail";
import { OUTSIDE, SAMPLES, type Sample } from "./samples";

const MODES = ["none", "slow", "defer", "reject", "reject_recipient", "auth", "drop"] as const;
const LOOK_EVERY = 4_000;

interface Props {
  accountId: string;
  address: string;
}

/** A customer's mail program: what they write, and below it what they have got from the shop. */
export function Mailbox({ accountId, address }: Props) {
  const { t } = useI18n();
  const client = useQueryClient();
  const textId = useId();
  const [mail, setMail] = useState(SAMPLES[0] ?? OUTSIDE);
  const [answering, setAnswering] = useState<LabMail | null>(null);
  const [sent, setSent] = useState(false);
  const from = useDeferredValue(mail.address.trim());
  const path = { account_id: accountId };
  const queryKey = keys.labMailbox(accountId, from);
  const mailbox = useQuery({
    queryKey,
    enabled: from.includes("@"),
    refetchInterval: LOOK_EVERY,
    queryFn: async () =>
      (
        await unwrap(
          api.GET("/api/v1/lab/email/{account_id}/mailbox", { params: { path, query: { address: from } } }),
        )
      ).items.toReversed(),
  });
  useLiveEvents(() => void client.invalidateQueries({ queryKey }));

  const send = useMutation({
    mutationFn: () =>
      unwrap(
        api.POST("/api/v1/lab/email/{account_id}/send", {
          params: { path },
          body: {
            from_address: mail.address.trim(),
            from_name: mail.name.trim(),
            subject: mail.subject,
            text: mail.text,
            reply_to_message_id: answering?.message_id ?? null,
          },
        }),
      ),
    onSuccess: () => {
      setSent(true);
      setAnswering(null);
      setMail((before) => ({ ...before, text: "" }));
    },
  });

  function write(changed: Partial<Sample>): void {
    setSent(false);
    setMail((before) => ({ ...before, ...changed }));
  }

  return (
    <div className="mailbox">
      <section className="lab-card" aria-labelledby={`${textId}-compose`}>
        <h2 id={`${textId}-compose`}>{t("lab.compose", { address })}</h2>
        <div className="samples" role="group" aria-label={t("lab.samples")}>
          {[...SAMPLES, OUTSIDE].map((sample) => (
            <button
              key={sample.subject}
              type="button"
              lang={sample.language}
              onClick={() => {
                setAnswering(null);
                write(sample);
              }}
            >
              {sample.subject}
            </button>
          ))}
        </div>
        <form
          className="stack"
          onSubmit={(event) => {
            event.preventDefault();
            send.mutate();
          }}
        >
          <div className="two">
            <Field
              label={t("lab.name")}
              value={mail.name}
              dir="auto"
              onChange={(event) => write({ name: event.target.value })}
            />
            <Field
              label={t("lab.address")}
              type="email"
              required
              dir="ltr"
              value={mail.address}
              onChange={(event) => write({ address: event.target.value })}
            />
          </div>
          <Field
            label={t("new.subject")}
            value={mail.subject}
            dir="auto"
            onChange={(event) => write({ subject: event.target.value })}
          />
          <div className="field">
            <label htmlFor={textId}>{t("new.text")}</label>
            <textarea
              id={textId}
              required
              rows={7}
              dir="auto"
              value={mail.text}
              onChange={(event) => write({ text: event.target.value })}
            />
          </div>
          {answering && (
            <p className="answering">
              <Reply aria-hidden size={14} className="directional" />
              <span>{t("lab.answering", { subject: answering.subject })}</span>
              <IconButton icon={X} label={t("action.cancel")} onClick={() => setAnswering(null)} />
            </p>
          )}
          <FormError error={send.error} />
          <div className="actions">
            <span role="status" className="muted">
              {sent ? t("lab.sent") : ""}
            </span>
            <Button type="submit" tone="primary" icon={SendHorizontal} busy={send.isPending}>
              {t("lab.send")}
            </Button>
          </div>
        </form>
        <Misbehaviour accountId={accountId} />
      </section>
      <section className="lab-card" aria-labelledby={`${textId}-inbox`}>
        <h2 id={`${textId}-inbox`}>{t("lab.mailbox", { address: from })}</h2>
        {mailbox.isPending ? (
          <Spinner />
        ) : mailbox.isError ? (
          <ErrorState error={mailbox.error} onRetry={() => void mailbox.refetch()} />
        ) : mailbox.data.length === 0 ? (
          <EmptyState icon={MailOpen} title={t("lab.no_mail")}>
            <p className="muted">{t("lab.no_mail_hint")}</p>
          </EmptyState>
        ) : (
          <ol className="mails" aria-live="polite">
            {mailbox.data.map((one, index) => (
              <li key={one.message_id}>
                <Mail
                  mail={one}
                  open={index === 0}
                  onReply={() => {
                    setAnswering(one);
                    write({
                      subject: /^re:/i.test(one.subject) ? one.subject : `Re: ${one.subject}`,
                      text: "",
                    });
                    document.getElementById(textId)?.focus();
                  }}
                />
              </li>
            ))}
          </ol>
        )}
      </section>
    </div>
  );
}

/** What the provider does wrong until told otherwise: to see how the house takes it. */
function Misbehaviour({ accountId }: { accountId: string }) {
  const { t } = useI18n();
  const client = useQueryClient();
  const params = { path: { account_id: accountId } };
  const queryKey = ["lab", "misbehave", accountId];
  const mode = useQuery({
    queryKey,
    queryFn: async () => (await unwrap(api.GET("/api/v1/lab/email/{account_id}/misbehave", { params }))).mode,
  });
  const change = useMutation({
    mutationFn: (wanted: (typeof MODES)[number]) =>
      unwrap(api.POST("/api/v1/lab/email/{account_id}/misbehave", { params, body: { mode: wanted } })),
    onSuccess: (made) => client.setQueryData(queryKey, made.mode),
  });
  return (
    <div className="misbehaviour">
      <Select
        label={t("lab.provider")}
        value={mode.data ?? "none"}
        onChange={(event) => change.mutate(MODES.find((one) => one === event.target.value) ?? "none")}
      >
        {MODES.map((one) => (
          <option key={one} value={one}>
            {t(`lab.mode.${one}`)}
          </option>
        ))}
      </Select>
      <FormError error={change.error} />
    </div>
  );
}
