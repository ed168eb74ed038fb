import {
  Link as LinkIcon,
  CircleDot,
  ArrowRightLeft,
  RotateCcw,
  SmilePlus,
  Trash2,
  UserX,
  type LucideIcon,
} from "lucide-react";
import { Link } from "wouter";
import type { TicketEvent } from "../api/types";
import { useI18n } from "../i18n/I18n";

/** The kinds that stand on the timeline by themselves; the others show on the message that they are about. */
const ICONS: Record<string, LucideIcon> = {
  "ticket.changed": CircleDot,
  "ticket.reopened": RotateCcw,
  "ticket.linked": LinkIcon,
  "ticket.handoff": ArrowRightLeft,
  "message.deleted": Trash2,
  "message.reaction": SmilePlus,
  "peer.changed": UserX,
  "peer.action": CircleDot,
};

export function isShown(event: TicketEvent): boolean {
  return event.kind in ICONS;
}

interface Props {
  event: TicketEvent;
  /** People inside, by id. */
  names: Map<string, string>;
  contact: string | null;
}

const FIELD_VALUES: Record<string, string> = { status: "status", priority: "priority" };

export function EventLine({ event, names, contact }: Props) {
  const { t, has, formats } = useI18n();
  const Icon = ICONS[event.kind] ?? CircleDot;

  function text(name: string): string {
    const value = event.data[name];
    return typeof value === "string" || typeof value === "number" ? String(value) : "";
  }

  function actor(): string {
    switch (event.actor) {
      case "user":
        return names.get(event.actor_id ?? "") ?? t("author.user");
      case "contact":
        return contact ?? t("author.customer");
      case "ai":
        return t("author.ai");
      case "system":
        return t("author.system");
    }
  }

  /** A field's value in words: the catalogue's, a person's name, or as it is. */
  function value(name: string): string {
    const raw = text(name);
    if (raw === "") return t("event.nothing");
    const domain = FIELD_VALUES[text("field")];
    if (domain) return t(`${domain}.${raw}`);
    return names.get(raw) ?? raw;
  }

  function reason(): string {
    const id = `reason.${text("reason")}`;
    return text("reason") !== "" && has(id) ? t(id) : "";
  }

  function sentence(): string {
    const values = { actor: actor() };
    switch (event.kind) {
      case "ticket.changed": {
        const id = `event.changed.${text("field")}`;
        if (!has(id)) return t("event.changed", { ...values, field: text("field") });
        return t(id, { ...values, after: value("after"), before: value("before") });
      }
      case "ticket.handoff":
        return t(`event.handoff.${text("after")}`, values);
      case "ticket.linked":
        return t(text("reason") === "forwarded" ? "event.forwarded" : "event.linked", values);
      case "message.reaction":
        return t("event.reaction", { ...values, reaction: text("reaction") });
      default:
        return t(`event.${event.kind}`, values);
    }
  }

  const why = reason();
  const linked = event.kind === "ticket.linked" ? text("to") : "";
  return (
    <p className="event-line">
      <Icon aria-hidden size={14} />
      <span>
        {sentence()}
        {why && <span className="event-reason"> {why}</span>}
        {linked && (
          <>
            {" "}
            <Link href={`/inbox/open/${linked}`}>{t("event.open_linked")}</Link>
          </>
        )}
      </span>
      <time dateTime={event.at} title={formats.moment(event.at)}>
        {formats.clock(event.at)}
      </time>
    </p>
  );
}
