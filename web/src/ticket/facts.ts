import { createContext, useContext } from "react";
import type { TicketEvent } from "../api/types";

/** How far the listening to a long recording has come, in seconds. */
export interface Progress {
  done: number;
  of: number;
}

/** What only the timeline tells of messages and their files. */
export interface Facts {
  /** By the file's id. */
  progress: Map<string, Progress>;
  /** Ids of messages that found the conversation over and were written another way. */
  instead: Set<string>;
}

export function factsOf(events: TicketEvent[]): Facts {
  const facts: Facts = { progress: new Map(), instead: new Set() };
  for (const [index, { kind, message_id, data }] of events.entries()) {
    if (kind === "file.changed" && data["state"] === "listening") {
      const { attachment_id: file, done, of } = data;
      if (typeof file !== "string" || typeof done !== "number" || typeof of !== "number") continue;
      facts.progress.set(file, { done, of });
    } else if (kind === "delivery.changed" && data["code"] === "conversation_over" && message_id !== null) {
      // Both are written in one transaction; without another way the failure stands alone.
      const before = events[index - 1];
      if (before?.kind === "call.changed" && before.data["state"] === "follow_up")
        facts.instead.add(message_id);
    }
  }
  return facts;
}

const FactsContext = createContext<Facts>(factsOf([]));

export const FactsProvider = FactsContext.Provider;

export function useFacts(): Facts {
  return useContext(FactsContext);
}
