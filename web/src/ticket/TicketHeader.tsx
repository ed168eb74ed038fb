import { Bot, Hand, Languages, type LucideIcon } from "lucide-react";
import { Link } from "wouter";
import { useContactName } from "../api/contactName";
import { useUsers } from "../api/queries";
import { PRIORITIES, STATUSES, type Me, type Ticket } from "../api/types";
import { useI18n } from "../i18n/I18n";
import { Badge } from "../ui/Badge";
import { Button } from "../ui/Button";
import { ChannelIcon } from "../ui/ChannelIcon";
import { Select } from "../ui/Field";
import { HandoffBadge } from "../ui/HandoffBadge";
import type { TicketActions } from "./useTicketActions";

interface Props {
  ticket: Ticket;
  me: Me;
  actions: TicketActions;
  back: { href: string; icon: LucideIcon };
}

export function TicketHeader({ ticket, me, actions, back }: Props) {
  const { t, formats } = useI18n();
  const users = useUsers().data ?? (ticket.assignee ? [ticket.assignee] : []);
  const who = useContactName(ticket);
  const BackIcon = back.icon;
  const mine = ticket.handoff === "human" && ticket.assignee?.id === me.id;
  const finished = ticket.status === "closed" || ticket.status === "spam";
  return (
    <header className="ticket-head">
      <div className="ticket-head-top">
        <Link
          href={back.href}
          className="icon-button back-button"
          aria-label={t("nav.back")}
          title={t("nav.back")}
        >
          <BackIcon aria-hidden size={18} className="directional" />
        </Link>
        <div className="ticket-title">
          <h1 dir="auto">{ticket.subject || t("ticket.no_subject")}</h1>
          <p className="ticket-sub">
            <span className="ticket-number">#{ticket.number}</span>
            <ChannelIcon channel={ticket.channel} />
            <bdi>{who.name}</bdi>
            {who.address !== null && <bdi className="ticket-address">{who.address}</bdi>}
            {ticket.language && (
              <Badge icon={Languages} title={t("ticket.language")}>
                {formats.languageName(ticket.language)}
              </Badge>
            )}
            {ticket.tags.map((tag) => (
              <Badge key={tag}>{tag}</Badge>
            ))}
          </p>
        </div>
        <div className="ticket-hand">
          <HandoffBadge handoff={ticket.handoff} />
          {!mine && (
            <Button tone="primary" icon={Hand} busy={actions.handing} onClick={() => actions.hand("human")}>
              {t("handoff.take_over")}
            </Button>
          )}
          {ticket.handoff !== "ai" && !finished && (
            <Button icon={Bot} busy={actions.handing} onClick={() => actions.hand("ai")}>
              {t("handoff.give_back")}
            </Button>
          )}
        </div>
      </div>
      <div className="ticket-fields">
        <Select
          bare
          label={t("ticket.status")}
          value={ticket.status}
          data-status={ticket.status}
          onChange={(event) => {
            const status = STATUSES.find((one) => one === event.target.value);
            if (status) actions.change({ status });
          }}
        >
          {STATUSES.map((status) => (
            <option key={status} value={status}>
              {t(`status.${status}`)}
            </option>
          ))}
        </Select>
        <Select
          bare
          label={t("ticket.priority")}
          value={ticket.priority}
          onChange={(event) => {
            const priority = PRIORITIES.find((one) => one === event.target.value);
            if (priority) actions.change({ priority });
          }}
        >
          {PRIORITIES.map((priority) => (
            <option key={priority} value={priority}>
              {t(`priority.${priority}`)}
            </option>
          ))}
        </Select>
        <Select
          bare
          label={t("ticket.assignee")}
          value={ticket.assignee?.id ?? ""}
          onChange={(event) => actions.change({ assignee_id: event.target.value || null })}
        >
          <option value="">{t("ticket.nobody")}</option>
          {users.map((user) => (
            <option key={user.id} value={user.id}>
              {user.id === me.id ? t("ticket.assigned_me", { name: user.name }) : user.name}
            </option>
          ))}
        </Select>
      </div>
    </header>
  );
}
