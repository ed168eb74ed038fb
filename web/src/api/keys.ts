import type { Filter } from "../inbox/views";

/** Names of everything that is cached from the server. A ticket's parts lie below the ticket. */
export const keys = {
  me: ["me"] as const,
  users: ["users"] as const,
  accounts: ["accounts"] as const,
  channelTypes: ["channel-types"] as const,
  tickets: ["tickets"] as const,
  list: (filter: Filter) => ["tickets", "list", filter] as const,
  ticket: (id: string) => ["tickets", "one", id] as const,
  messages: (id: string) => ["tickets", "one", id, "messages"] as const,
  events: (id: string) => ["tickets", "one", id, "events"] as const,
  labChannels: ["lab", "channels"] as const,
  labLines: (account: string, who: string) => ["lab", "lines", account, who] as const,
};
