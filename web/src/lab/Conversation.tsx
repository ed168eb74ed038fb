import { MessageCircleDashed } from "lucide-react";
import { useMemo, useRef, useState } from "react";
import type { LabLine } from "../api/types";
import { useI18n } from "../i18n/I18n";
import { EmptyState } from "../ui/EmptyState";
import { ErrorState } from "../ui/ErrorState";
import { Spinner } from "../ui/Spinner";
import { LabComposer, type Aim } from "./LabComposer";
import { LabError } from "./LabError";
import { LineCard } from "./LineCard";
import type { Device } from "./device";
import { useFollowNewest } from "./useFollowNewest";
import { useAct, useLines, type Deed } from "./useLab";

interface Thread {
  root: LabLine;
  replies: LabLine[];
}

/** Lines in the order of their beginnings, each with what was answered below it. */
function threads(lines: LabLine[]): Thread[] {
  const found = new Map<string, Thread>();
  const roots = new Map<string, string>();
  for (const line of lines) {
    // Some providers name the beginning, others the line that was answered.
    const root = line.thread == null ? line.id : (roots.get(line.thread) ?? line.thread);
    roots.set(line.id, root);
    const begun = found.get(root);
    if (begun) begun.replies.push(line);
    else found.set(root, { root: line, replies: [] });
  }
  return [...found.values()];
}

/** A customer's window on a channel that is written: what they gave and got, and what they write next. */
export function Conversation({ channel, type, customer, questions }: Device) {
  const { t } = useI18n();
  const lines = useLines(channel.account_id, customer.who);
  const write = useAct(channel.account_id, customer);
  const touch = useAct(channel.account_id, customer);
  const [aim, setAim] = useState<Aim | null>(null);
  const log = useRef<HTMLDivElement>(null);
  const shown = useMemo(() => threads(lines.data ?? []), [lines.data]);
  const can = new Set(channel.verbs);
  const { threads: threading, subject } = type.capabilities;
  const native = threading === "native";
  // Where one can react to a line, one can answer it too, and there are rooms besides the direct conversation.
  const chat = native || can.has("react");
  const count = (lines.data?.length ?? 0) + (write.isPending ? 1 : 0);

  useFollowNewest(log, count);

  function card(line: LabLine) {
    const deleted = line.state === "deleted";
    const answerable = !deleted && (chat || (!line.mine && threading === "references"));
    const target = native ? (line.thread ?? line.id) : line.id;
    return (
      <LineCard
        key={line.id}
        line={line}
        onAnswer={can.has("write") && answerable ? () => setAim({ verb: "write", line, target }) : undefined}
        onEdit={
          can.has("edit") && line.mine && !deleted
            ? () => setAim({ verb: "edit", line, target: line.id })
            : undefined
        }
        onDelete={
          can.has("delete") && line.mine && !deleted
            ? () => touch.mutate({ verb: "delete", target: line.id })
            : undefined
        }
        onReact={
          can.has("react") && !deleted
            ? (text) => touch.mutate({ verb: "react", target: line.id, text })
            : undefined
        }
        onPress={
          can.has("press") ? (text) => touch.mutate({ verb: "press", target: line.id, text }) : undefined
        }
      />
    );
  }

  return (
    <section
      className="lab-device"
      aria-label={t("lab.conversation", { name: customer.name || customer.who })}
    >
      <header className="device-head">
        <h2>
          {channel.title} <bdi dir="ltr">{channel.address}</bdi>
        </h2>
        <p className="muted small">
          {t("lab.as")} <bdi>{customer.name}</bdi> · <bdi dir="ltr">{customer.who}</bdi>
        </p>
      </header>
      <div className="lines" ref={log} role="log" aria-label={t("lab.lines")} tabIndex={0}>
        {lines.isPending ? (
          <Spinner />
        ) : lines.data === undefined ? (
          <ErrorState error={lines.error} onRetry={() => void lines.refetch()} />
        ) : shown.length === 0 && !write.isPending ? (
          <EmptyState icon={MessageCircleDashed} title={t("lab.nothing_yet")}>
            <p className="muted">{t("lab.nothing_hint")}</p>
          </EmptyState>
        ) : (
          shown.map(({ root, replies }) => (
            <div key={root.id} className="thread">
              {card(root)}
              {replies.length > 0 && <div className="thread-replies">{replies.map(card)}</div>}
            </div>
          ))
        )}
        {write.isPending && <Pending deed={write.variables} />}
      </div>
      <LabError error={touch.error ?? (lines.data === undefined ? null : lines.error)} />
      <LabComposer
        acting={write}
        aim={aim}
        onAim={setAim}
        questions={questions}
        subject={subject}
        rooms={chat && !subject}
      />
    </section>
  );
}

/** What has been written and is still on its way. */
function Pending({ deed }: { deed: Deed }) {
  const { t } = useI18n();
  return (
    <article className="line" data-mine data-pending>
      <div className="line-box">
        {deed.subject && <p className="line-subject">{deed.subject}</p>}
        <p className="line-text" dir="auto">
          {deed.text || (deed.files ?? []).map((file) => file.name).join(", ")}
        </p>
        <p className="line-meta">{t("delivery.sending")}</p>
      </div>
    </article>
  );
}
