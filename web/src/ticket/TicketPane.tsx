import type { LucideIcon } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import { useAccounts, useEvents, useMessages, useTicket } from "../api/queries";
import type { Me, Message } from "../api/types";
import { useI18n } from "../i18n/I18n";
import { useShortcut } from "../inbox/shortcuts";
import { useTyping } from "../live/LiveProvider";
import { ErrorState } from "../ui/ErrorState";
import { Spinner } from "../ui/Spinner";
import { Composer, type ComposerHandle } from "./Composer";
import { ForwardDialog } from "./ForwardDialog";
import { TicketHeader } from "./TicketHeader";
import { Timeline } from "./Timeline";
import { ownAddresses } from "./recipients";
import { useTicketActions } from "./useTicketActions";

interface Props {
  id: string;
  me: Me;
  back: { href: string; icon: LucideIcon };
}

/** One ticket: its header, its timeline, and the composer. */
export function TicketPane({ id, me, back }: Props) {
  const { t } = useI18n();
  const ticket = useTicket(id);
  const messages = useMessages(id);
  const events = useEvents(id);
  const accounts = useAccounts();
  const actions = useTicketActions(id);
  const composer = useRef<ComposerHandle>(null);
  const scroller = useRef<HTMLDivElement>(null);
  const [forwarding, setForwarding] = useState<Message | null>(null);
  const typing = useTyping(id);
  const ready = ticket.data !== undefined && messages.data !== undefined && events.data !== undefined;

  useShortcut("r", () => composer.current?.open("reply"), ready);
  useShortcut("n", () => composer.current?.open("note"), ready);
  useShortcut("t", () => actions.hand("human"), ready && ticket.data.handoff !== "human");
  useFollowEnd(scroller, messages.data?.length ?? 0);

  const subject = ticket.data?.subject;
  const number = ticket.data?.number;
  useEffect(() => {
    if (number !== undefined) document.title = `#${number} ${subject ?? ""} · AutoCRM`;
  }, [number, subject]);

  const failed = [ticket, messages, events].find((query) => query.isError && query.data === undefined);
  if (failed) {
    return (
      <ErrorState
        error={failed.error}
        onRetry={() => void Promise.all([ticket.refetch(), messages.refetch(), events.refetch()])}
      />
    );
  }
  if (!ready) return <Spinner page />;
  return (
    <article className="ticket" aria-label={`#${ticket.data.number}`}>
      <TicketHeader ticket={ticket.data} me={me} actions={actions} back={back} />
      <div
        className="timeline-scroll"
        ref={scroller}
        tabIndex={0}
        role="region"
        aria-label={t("ticket.timeline")}
      >
        <Timeline
          ticket={ticket.data}
          messages={messages.data}
          events={events.data}
          onForward={setForwarding}
          onReply={() => composer.current?.open("reply")}
        />
        <p className="typing" role="status">
          {typing !== null && t("ticket.typing", { name: typing || t("author.customer") })}
        </p>
      </div>
      <Composer
        ref={composer}
        ticket={ticket.data}
        messages={messages.data}
        own={ownAddresses(accounts.data ?? [])}
      />
      {forwarding && (
        <ForwardDialog ticket={ticket.data} message={forwarding} onClose={() => setForwarding(null)} />
      )}
    </article>
  );
}

/** Opens at the newest message, and stays there while more arrive, unless one has scrolled away. */
function useFollowEnd(scroller: React.RefObject<HTMLDivElement | null>, count: number): void {
  const atEnd = useRef(true);
  useEffect(() => {
    const element = scroller.current;
    if (element === null) return;
    const onScroll = () => {
      atEnd.current = element.scrollHeight - element.scrollTop - element.clientHeight < 80;
    };
    // Frames and pictures grow after they are shown.
    const observer = new ResizeObserver(() => {
      if (atEnd.current) element.scrollTop = element.scrollHeight;
    });
    element.addEventListener("scroll", onScroll, { passive: true });
    observer.observe(element);
    for (const child of element.children) observer.observe(child);
    return () => {
      element.removeEventListener("scroll", onScroll);
      observer.disconnect();
    };
  }, [scroller, count]);
}
