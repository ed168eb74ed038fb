import { Flag } from "lucide-react";
import { memo } from "react";
import { Link } from "wouter";
import { useContactName } from "../api/contactName";
import type { Ticket } from "../api/types";
import { useNow } from "../app/clock";
import { useI18n } from "../i18n/I18n";
import { Avatar } from "../ui/Avatar";
import { ChannelIcon } from "../ui/ChannelIcon";
import { HandoffBadge } from "../ui/HandoffBadge";

interface Props {
  ticket: Ticket;
  href: string;
  open: boolean;
}

export const TicketRow = memo(function TicketRow({ ticket, href, open }: Props) {
  const { t, formats } = useI18n();
  const now = useNow();
  const { name: who } = useContactName(ticket);
  const urgent = ticket.priority === "high" || ticket.priority === "urgent";
  return (
    <li>
      <Link href={href} className="row" aria-current={open ? "true" : undefined} data-status={ticket.status}>
        <Avatar name={who} />
        <span className="row-main">
          <span className="row-top">
            <bdi className="row-who">{who}</bdi>
            <ChannelIcon channel={ticket.channel} size={13} />
            <time
              className="row-time"
              dateTime={ticket.activity_at}
              title={formats.moment(ticket.activity_at)}
            >
              {formats.ago(ticket.activity_at, now)}
            </time>
          </span>
          <span className="row-subject" dir="auto">
            {urgent && (
              <span className={`flag flag-${ticket.priority}`} title={t(`priority.${ticket.priority}`)}>
                <Flag aria-hidden size={13} />
                <span className="visually-hidden">{t(`priority.${ticket.priority}`)}</span>
              </span>
            )}
            {ticket.subject || t("ticket.no_subject")}
          </span>
          <span className="row-preview" dir="auto">
            {ticket.preview}
          </span>
          <span className="row-meta">
            <span className="row-number">#{ticket.number}</span>
            <HandoffBadge handoff={ticket.handoff} />
            {ticket.status !== "open" && <span className="row-status">{t(`status.${ticket.status}`)}</span>}
            {ticket.assignee && <bdi className="row-assignee">{ticket.assignee.name}</bdi>}
          </span>
        </span>
      </Link>
    </li>
  );
});
