import { useMemo } from "react";
import { useUsers } from "../api/queries";
import type { Message, Ticket, TicketEvent } from "../api/types";
import { useNow } from "../app/clock";
import { useI18n } from "../i18n/I18n";
import { DraftCard } from "./DraftCard";
import { EventLine, isShown } from "./EventLine";
import { MessageCard } from "./MessageCard";
import { FactsProvider, factsOf } from "./facts";

interface Props {
  ticket: Ticket;
  messages: Message[];
  events: TicketEvent[];
  onForward: (message: Message) => void;
  onReply: () => void;
}

type Entry =
  { kind: "message"; at: string; message: Message } | { kind: "event"; at: string; event: TicketEvent };

/** Messages and notes, with what happened between them, oldest first. */
export function Timeline({ ticket, messages, events, onForward, onReply }: Props) {
  const { formats } = useI18n();
  const now = useNow();
  const users = useUsers().data;
  const names = useMemo(() => new Map(users?.map((user) => [user.id, user.name])), [users]);

  const days = useMemo(() => {
    const entries: Entry[] = [
      ...messages
        // A draft that was decided lives on as the message that was sent, or as an event.
        .filter((message) => !(message.draft && message.deleted_at !== null))
        .map((message): Entry => ({ kind: "message", at: message.created_at, message })),
      ...events.filter(isShown).map((event): Entry => ({ kind: "event", at: event.at, event })),
    ];
    entries.sort((a, b) => Date.parse(a.at) - Date.parse(b.at));
    const byDay: { day: string; entries: Entry[] }[] = [];
    for (const entry of entries) {
      const day = new Date(entry.at).toDateString();
      const last = byDay.at(-1);
      if (last?.day === day) last.entries.push(entry);
      else byDay.push({ day, entries: [entry] });
    }
    return byDay;
  }, [messages, events]);

  const facts = useMemo(() => factsOf(events), [events]);

  return (
    <FactsProvider value={facts}>
      <div className="timeline">
        {days.map(({ day, entries }) => (
          <section key={day} className="timeline-day">
            <h2 className="day-name">{formats.dayName(entries[0]?.at ?? day, now)}</h2>
            <ol>
              {entries.map((entry) =>
                entry.kind === "event" ? (
                  <li key={`event-${entry.event.id}`}>
                    <EventLine event={entry.event} names={names} contact={ticket.contact.name} />
                  </li>
                ) : (
                  <li key={entry.message.id}>
                    {entry.message.draft ? (
                      <DraftCard ticket={ticket} message={entry.message} />
                    ) : (
                      <MessageCard
                        ticket={ticket}
                        message={entry.message}
                        onForward={onForward}
                        onReply={onReply}
                      />
                    )}
                  </li>
                ),
              )}
            </ol>
          </section>
        ))}
      </div>
    </FactsProvider>
  );
}
