import { useQuery } from "@tanstack/react-query";
import { api, unwrap } from "./client";
import { keys } from "./keys";
import type { Account, ChannelType, Message, TicketEvent } from "./types";

const PAGE = 100;
const SELDOM = 10 * 60_000;

interface Page<T> {
  items: T[];
  next?: string | null;
}

async function everyPage<T>(fetch: (cursor: string | undefined) => Promise<Page<T>>): Promise<T[]> {
  const items: T[] = [];
  let cursor: string | undefined;
  do {
    const page = await fetch(cursor);
    items.push(...page.items);
    cursor = page.next ?? undefined;
  } while (cursor !== undefined);
  return items;
}

const at = (id: string) => ({ path: { ticket_id: id } });

export function useTicket(id: string) {
  return useQuery({
    queryKey: keys.ticket(id),
    queryFn: () => unwrap(api.GET("/api/v1/tickets/{ticket_id}", { params: at(id) })),
  });
}

/** Every message of a ticket, oldest first. */
export function useMessages(id: string) {
  return useQuery({
    queryKey: keys.messages(id),
    queryFn: () =>
      everyPage<Message>((cursor) =>
        unwrap(
          api.GET("/api/v1/tickets/{ticket_id}/messages", {
            params: { ...at(id), query: { limit: PAGE, ...(cursor ? { cursor } : {}) } },
          }),
        ),
      ),
  });
}

/** The whole timeline of a ticket, oldest first. */
export function useEvents(id: string) {
  return useQuery({
    queryKey: keys.events(id),
    queryFn: () =>
      everyPage<TicketEvent>((cursor) =>
        unwrap(
          api.GET("/api/v1/tickets/{ticket_id}/events", {
            params: { ...at(id), query: { limit: PAGE, ...(cursor ? { cursor } : {}) } },
          }),
        ),
      ),
  });
}

/** Everybody who works here, to assign to and to name. */
export function useUsers() {
  return useQuery({
    queryKey: keys.users,
    staleTime: SELDOM,
    queryFn: async () => (await unwrap(api.GET("/api/v1/users"))).items,
  });
}

export function useAccounts() {
  return useQuery<Account[]>({
    queryKey: keys.accounts,
    staleTime: SELDOM,
    queryFn: async () => (await unwrap(api.GET("/api/v1/channels"))).items,
  });
}

export function useChannelTypes() {
  return useQuery<ChannelType[]>({
    queryKey: keys.channelTypes,
    staleTime: SELDOM,
    queryFn: async () => (await unwrap(api.GET("/api/v1/channel-types"))).items,
  });
}

/** What a channel is, by its id; undefined while unknown. Behaviour follows its capabilities, never its name. */
export function useChannelType(id: string | undefined): ChannelType | undefined {
  return useChannelTypes().data?.find((type) => type.id === id);
}

/** Whether this installation is a demo, with a lab. */
export function useDemo(): boolean {
  const health = useQuery({
    queryKey: ["health"],
    staleTime: Infinity,
    queryFn: () => unwrap(api.GET("/api/v1/health")),
  });
  return health.data?.mode === "demo";
}
