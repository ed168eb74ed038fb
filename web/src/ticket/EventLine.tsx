import {
  Link as LinkIcon,
  CircleDot,
  ArrowRightLeft,
  CircleHelp,
  EarOff,
  FileX,
  Hash,
  MessageSquareText,
  Phone,
  PhoneForwarded,
  PhoneOff,
  RotateCcw,
  SmilePlus,
  Trash2,
  UserX,
  type LucideIcon,
} from "lucide-react";
import { Link } from "wouter";
import type { TicketEvent } from "../api/types";
import { useI18n } from "../i18n/I18n";
import type { Values } from "../i18n/texts";

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
  "file.failed": FileX,
  "file.unheard": EarOff,
  "call.started": Phone,
  "call.ended": PhoneOff,
  "call.follow_up": MessageSquareText,
  "call.changed": Phone,
  digits: Hash,
  "action.person": CircleHelp,
  "action.follow_up": MessageSquareText,
  "action.text_answer": MessageSquareText,
  "action.dialled": PhoneForwarded,
};

/** A word of the event's data; empty where there is none. */
function word(event: TicketEvent, name: string): string {
  const value = event.data[name];
  return typeof value === "string" || typeof value === "number" ? String(value) : "";
}

/** The entry of `ICONS` that fits best; one that is not there for what the timeline leaves out. */
function look(event: TicketEvent): string {
  const state = word(event, "state");
  switch (event.kind) {
    case "file.changed":
      // A file that never came is told once, not again as one that nobody could listen to.
      return state === "unheard" && !word(event, "code").startsWith("speech_") ? "" : `file.${state}`;
    case "call.changed":
      return `call.${state}` in ICONS ? `call.${state}` : event.kind;
    case "peer.action": {
      const type = word(event, "type");
      if (type === "call_ended") return "call.ended";
      const action = type === "digits" ? type : `action.${word(event, "action")}`;
      return action in ICONS ? action : event.kind;
    }
    default:
      return event.kind;
  }
}

export function isShown(event: TicketEvent): boolean {
  return look(event) in ICONS;
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
  const Icon = ICONS[look(event)] ?? CircleDot;

  const text = (name: string) => word(event, name);

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
    if (event.kind === "file.changed") {
      const code = `file.trouble.${text("code")}`;
      return t(has(code) ? code : "file.trouble.other");
    }
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
      case "file.changed":
        return t(`event.file.${text("state")}`);
      case "call.changed":
        return known(`event.call.${text("state")}`, "event.call.changed", values);
      case "peer.action":
        return pressed(values);
      default:
        return t(`event.${event.kind}`, values);
    }
  }

  function known(id: string, otherwise: string, values: Values): string {
    return t(has(id) ? id : otherwise, values);
  }

  /** What somebody outside did without writing: a button, a key, the end of a call. */
  function pressed(values: Values): string {
    if (text("type") === "digits") return t("event.digits", { ...values, digits: text("digits") });
    if (text("type") === "call_ended") return t("event.call.ended", values);
    if (text("action") === "dialled") return known(`event.dialled.${text("value")}`, "event.dialled", values);
    return known(`event.action.${text("action")}`, "event.peer.action", values);
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
