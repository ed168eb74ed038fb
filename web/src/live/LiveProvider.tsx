import { useQueryClient } from "@tanstack/react-query";
import { createContext, useContext, useEffect, useRef, useState, type ReactNode } from "react";
import { keys } from "../api/keys";
import type { TicketEvent } from "../api/types";
import { LiveConnection, type LiveState, type Typing } from "./connection";

type Listener<T> = (value: T) => void;

/** Who listens to what, apart from React: nothing renders anew because something was heard. */
class Hub {
  readonly events = new Set<Listener<TicketEvent[]>>();
  readonly typing = new Set<Listener<Typing>>();
  private connection: LiveConnection | null = null;

  attach(connection: LiveConnection | null): void {
    this.connection = connection;
  }

  sendTyping(ticketId: string, active: boolean): void {
    this.connection?.sendTyping(ticketId, active);
  }
}

const HubContext = createContext(new Hub());
const StateContext = createContext<LiveState>("connecting");

export function useLiveState(): LiveState {
  return useContext(StateContext);
}

function useListener<T>(listeners: Set<Listener<T>>, listener: Listener<T>): void {
  const current = useRef(listener);
  useEffect(() => {
    current.current = listener;
  });
  useEffect(() => {
    const stable: Listener<T> = (value) => current.current(value);
    listeners.add(stable);
    return () => void listeners.delete(stable);
  }, [listeners]);
}

/** Calls `listener` with every batch of events that arrives while mounted. */
export function useLiveEvents(listener: Listener<TicketEvent[]>): void {
  useListener(useContext(HubContext).events, listener);
}

const TYPING_SHOWN = 8_000;

/** The name of whoever types on this ticket just now; null when nobody does. */
export function useTyping(ticketId: string): string | null {
  const [name, setName] = useState<string | null>(null);
  const timer = useRef<number | undefined>(undefined);
  useListener(useContext(HubContext).typing, (typing) => {
    if (typing.ticket_id !== ticketId) return;
    clearTimeout(timer.current);
    setName(typing.active ? typing.name : null);
    // The end may be lost on the way.
    if (typing.active) timer.current = window.setTimeout(() => setName(null), TYPING_SHOWN);
  });
  useEffect(() => () => clearTimeout(timer.current), []);
  return name;
}

/** Tells the customer that an answer is being written; to be called on every key stroke. */
export function useSendTyping(ticketId: string): (active: boolean) => void {
  const hub = useContext(HubContext);
  const sentAt = useRef(0);
  return (active) => {
    const now = Date.now();
    if (active && now - sentAt.current < TYPING_SHOWN / 2) return;
    if (!active && sentAt.current === 0) return;
    sentAt.current = active ? now : 0;
    hub.sendTyping(ticketId, active);
  };
}

/** Keeps one live connection while somebody is signed in, and freshens what is shown of the tickets it names. */
export function LiveProvider({ children }: { children: ReactNode }) {
  const client = useQueryClient();
  const [state, setState] = useState<LiveState>("connecting");
  const [hub] = useState(() => new Hub());

  useEffect(() => {
    const connection = new LiveConnection({
      onState: setState,
      onTyping: (typing) => hub.typing.forEach((listener) => listener(typing)),
      onEvents: (events) => {
        for (const id of new Set(events.map((event) => event.ticket_id))) {
          void client.invalidateQueries({ queryKey: keys.ticket(id) });
        }
        hub.events.forEach((listener) => listener(events));
      },
      onGap: () => void client.invalidateQueries({ queryKey: keys.tickets }),
      onSignedOut: () => client.setQueryData(keys.me, null),
    });
    hub.attach(connection);
    connection.start();
    return () => {
      connection.stop();
      hub.attach(null);
    };
  }, [client, hub]);

  return (
    <HubContext value={hub}>
      <StateContext value={state}>{children}</StateContext>
    </HubContext>
  );
}
