import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Lock, Paperclip, Reply, SendHorizontal } from "lucide-react";
import { useEffect, useId, useImperativeHandle, useRef, useState, type Ref } from "react";
import { api, unwrap } from "../api/client";
import { newKey } from "../api/key";
import { keys } from "../api/keys";
import { useChannelType } from "../api/queries";
import type { Message, Status, Ticket } from "../api/types";
import { useI18n } from "../i18n/I18n";
import { useSendTyping } from "../live/LiveProvider";
import { Button, IconButton } from "../ui/Button";
import { Select } from "../ui/Field";
import { FormError } from "../ui/FormError";
import { Files } from "./Files";
import { loadDraft, storeDraft, type Mode } from "./drafts";
import { replyAll, splitAddresses } from "./recipients";
import { useUploads } from "./useUploads";

export interface ComposerHandle {
  open: (mode: Mode) => void;
}

interface Props {
  ref: Ref<ComposerHandle>;
  ticket: Ticket;
  messages: Message[];
  /** Addresses of our own, in lower case. */
  own: Set<string>;
}

const AFTERWARDS = ["pending", "open", "resolved"] as const satisfies readonly Status[];

/** Where an answer or a note is written. The draft outlives the page; a failed send can be repeated safely. */
export function Composer({ ref, ticket, messages, own }: Props) {
  const { t } = useI18n();
  const client = useQueryClient();
  const capabilities = useChannelType(ticket.channel)?.capabilities;
  const [draft, setDraft] = useState(() => loadDraft(ticket.id));
  const [afterwards, setAfterwards] = useState<Status>("pending");
  const [over, setOver] = useState(false);
  const uploads = useUploads();
  const sendTyping = useSendTyping(ticket.id);
  const area = useRef<HTMLTextAreaElement>(null);
  const picker = useRef<HTMLInputElement>(null);
  const action = useRef<{ content: string; key: string } | null>(null);
  const id = useId();
  const { mode } = draft;
  const text = draft[mode];
  const copies = capabilities?.copies === true && mode === "reply";
  const cc = draft.cc ?? replyAll(messages, own, ticket.contact.address ?? null).join(", ");
  const filesAllowed = mode === "note" || (capabilities?.attachments_max ?? 0) > 0;

  useEffect(() => storeDraft(ticket.id, draft), [ticket.id, draft]);
  useImperativeHandle(ref, () => ({
    open: (wanted) => {
      setDraft((before) => ({ ...before, mode: wanted }));
      area.current?.focus();
    },
  }));

  const send = useMutation({
    mutationFn: async () => {
      const body =
        mode === "note"
          ? { text, attachment_ids: uploads.done.map((file) => file.id) }
          : {
              text,
              attachment_ids: uploads.done.map((file) => file.id),
              cc: copies ? splitAddresses(cc) : [],
              status: afterwards,
            };
      const content = JSON.stringify([mode, body]);
      // The same words again are a retry, and get the same key: the server does it once.
      if (action.current?.content !== content) action.current = { content, key: newKey() };
      const params = { path: { ticket_id: ticket.id }, header: { "idempotency-key": action.current.key } };
      return mode === "note"
        ? unwrap(api.POST("/api/v1/tickets/{ticket_id}/notes", { params, body }))
        : unwrap(api.POST("/api/v1/tickets/{ticket_id}/replies", { params, body }));
    },
    onSuccess: (message) => {
      action.current = null;
      sendTyping(false);
      setDraft((before) => ({ ...before, [mode]: "", cc: null }));
      uploads.clear();
      client.setQueryData<Message[]>(keys.messages(ticket.id), (shown) =>
        shown && !shown.some((one) => one.id === message.id) ? [...shown, message] : shown,
      );
      void client.invalidateQueries({ queryKey: keys.ticket(ticket.id) });
      area.current?.focus();
    },
  });

  const sendable = text.trim() !== "" && !uploads.busy;
  const submit = () => {
    if (sendable && !send.isPending) send.mutate();
  };

  return (
    <section
      className={`composer composer-${mode}`}
      aria-label={t("composer.title")}
      data-over={over || undefined}
      onDragOver={(event) => {
        if (!filesAllowed || !event.dataTransfer.types.includes("Files")) return;
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={(event) => {
        if (!filesAllowed || event.dataTransfer.files.length === 0) return;
        event.preventDefault();
        setOver(false);
        uploads.add(event.dataTransfer.files);
      }}
    >
      <div className="composer-head">
        <div className="composer-tabs" role="group" aria-label={t("composer.kind")}>
          {(["reply", "note"] as const).map((one) => {
            const Icon = one === "reply" ? Reply : Lock;
            return (
              <button
                key={one}
                type="button"
                aria-pressed={mode === one}
                onClick={() => {
                  setDraft((before) => ({ ...before, mode: one }));
                  area.current?.focus();
                }}
              >
                <Icon aria-hidden size={15} />
                {t(`composer.${one}`)}
              </button>
            );
          })}
        </div>
        {copies && (
          <div className="composer-cc">
            <label htmlFor={`${id}-cc`}>{t("composer.cc")}</label>
            <input
              id={`${id}-cc`}
              dir="ltr"
              value={cc}
              disabled={send.isPending}
              onChange={(event) => setDraft((before) => ({ ...before, cc: event.target.value }))}
            />
          </div>
        )}
      </div>
      <textarea
        ref={area}
        dir="auto"
        rows={3}
        value={text}
        readOnly={send.isPending}
        aria-label={t(mode === "reply" ? "composer.reply_label" : "composer.note_label")}
        placeholder={t(mode === "reply" ? "composer.reply_hint" : "composer.note_hint")}
        onChange={(event) => {
          setDraft((before) => ({ ...before, [mode]: event.target.value }));
          if (mode === "reply") sendTyping(event.target.value !== "");
        }}
        onBlur={() => sendTyping(false)}
        onKeyDown={(event) => {
          if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
            event.preventDefault();
            submit();
          } else if (event.key === "Escape") {
            event.currentTarget.blur();
            event.stopPropagation();
          }
        }}
        onPaste={(event) => {
          if (!filesAllowed || event.clipboardData.files.length === 0) return;
          event.preventDefault();
          uploads.add(event.clipboardData.files);
        }}
      />
      <Files attachments={uploads.done} onRemove={uploads.remove} />
      {uploads.failed.map((one) => (
        <div key={one.key} className="upload-failed">
          <bdi>{one.file.name}</bdi>
          <FormError error={one.error} />
          <Button onClick={() => uploads.retry(one)}>{t("action.retry")}</Button>
          <Button tone="quiet" onClick={() => uploads.dismiss(one)}>
            {t("action.discard")}
          </Button>
        </div>
      ))}
      {send.isError && (
        <div className="send-failed">
          <FormError error={send.error} />
          <Button onClick={submit}>{t("action.retry")}</Button>
        </div>
      )}
      <div className="composer-foot">
        {filesAllowed && (
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
                uploads.add(event.target.files ?? []);
                event.target.value = "";
              }}
            />
          </>
        )}
        <span className="composer-state" role="status">
          {uploads.busy ? t("composer.uploading") : ""}
        </span>
        {mode === "reply" && (
          <Select
            bare
            label={t("composer.afterwards")}
            value={afterwards}
            onChange={(event) =>
              setAfterwards(AFTERWARDS.find((status) => status === event.target.value) ?? "pending")
            }
          >
            {AFTERWARDS.map((status) => (
              <option key={status} value={status}>
                {t("composer.then", { status: t(`status.${status}`) })}
              </option>
            ))}
          </Select>
        )}
        <Button
          tone="primary"
          icon={mode === "reply" ? SendHorizontal : Lock}
          busy={send.isPending}
          disabled={!sendable}
          title="Ctrl+Enter"
          onClick={submit}
        >
          {t(mode === "reply" ? "composer.send" : "composer.add_note")}
        </Button>
      </div>
    </section>
  );
}
