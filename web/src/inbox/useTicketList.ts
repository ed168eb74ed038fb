import { useInfiniteQuery, useQueryClient, type InfiniteData } from "@tanstack/react-query";
import { useState } from "react";
import { api, unwrap } from "../api/client";
import { keys } from "../api/keys";
import { isProblem } from "../api/problem";
import type { Ticket } from "../api/types";
import { useLiveEvents } from "../live/LiveProvider";
import { byActivity, listQuery, type Filter } from "./views";

interface Page {
  items: Ticket[];
  next?: string | null;
}

type Pages = InfiniteData<Page, string | null>;

function fetchPage(filter: Filter, cursor: string | null): Promise<Page> {
  return unwrap(
    api.GET("/api/v1/tickets", {
      params: { query: { ...listQuery(filter), limit: 40, ...(cursor ? { cursor } : {}) } },
    }),
  );
}

/**
 * A list of tickets that grows by keyset pages and stays fresh.
 *
 * While its beginning is in sight, what is new comes in by itself. Further down rows change in place only, so that
 * nothing moves under the reader; `waiting` says that there is more above.
 */
export function useTicketList(filter: Filter, atTop: () => boolean) {
  const client = useQueryClient();
  const queryKey = keys.list(filter);
  const [waiting, setWaiting] = useState(false);
  const query = useInfiniteQuery({
    queryKey,
    queryFn: ({ pageParam }) => fetchPage(filter, pageParam),
    initialPageParam: null as string | null,
    getNextPageParam: (last: Page) => last.next ?? null,
  });

  /** Fetches the first page and lays it over what is shown. */
  async function refreshTop(): Promise<void> {
    setWaiting(false);
    const fresh = await fetchPage(filter, null);
    client.setQueryData<Pages>(queryKey, (shown) => (shown ? merge(shown, fresh) : shown));
  }

  async function refreshRow(id: string): Promise<void> {
    let ticket: Ticket | null;
    try {
      ticket = await unwrap(api.GET("/api/v1/tickets/{ticket_id}", { params: { path: { ticket_id: id } } }));
    } catch (error) {
      if (!isProblem(error, 404)) return;
      ticket = null;
    }
    client.setQueryData<Pages>(queryKey, (shown) => shown && mapItems(shown, id, ticket));
  }

  useLiveEvents((events) => {
    if (atTop()) {
      void refreshTop().catch(() => setWaiting(true));
      return;
    }
    const ids = new Set(events.map((event) => event.ticket_id));
    setWaiting(true);
    for (const page of query.data?.pages ?? []) {
      for (const item of page.items) if (ids.has(item.id)) void refreshRow(item.id);
    }
  });

  const items = query.data?.pages.flatMap((page) => page.items) ?? [];
  return { ...query, items, waiting, refreshTop };
}

/** The fresh first page wins; of the rest stays what lies behind it. */
function merge(shown: Pages, fresh: Page): Pages {
  const first = new Set(fresh.items.map((item) => item.id));
  const last = fresh.items.at(-1);
  const whole = fresh.next == null || last === undefined;
  if (whole) return { pages: [fresh], pageParams: [null] };
  const behind = shown.pages
    .flatMap((page) => page.items)
    .filter((item) => !first.has(item.id) && byActivity(last, item) < 0);
  const end = shown.pages.at(-1)?.next ?? null;
  if (behind.length === 0) return { pages: [fresh], pageParams: [null] };
  return { pages: [{ items: [...fresh.items, ...behind], next: end }], pageParams: [null] };
}

function mapItems(shown: Pages, id: string, ticket: Ticket | null): Pages {
  return {
    ...shown,
    pages: shown.pages.map((page) => ({
      ...page,
      items: page.items.flatMap((item) => (item.id === id ? (ticket ? [ticket] : []) : [item])),
    })),
  };
}
