import { useMutation, useQueryClient } from "@tanstack/react-query";
import { api, unwrap } from "../api/client";
import { keys } from "../api/keys";
import { isProblem } from "../api/problem";
import type { Ticket, TicketChange } from "../api/types";
import { useToast } from "../ui/Toasts";
import { useErrorText } from "../ui/useErrorText";

export interface TicketActions {
  change: (values: Omit<TicketChange, "version">) => void;
  hand: (to: "ai" | "human" | "queue") => void;
  handing: boolean;
}

/** What is done to a ticket as a whole. A change is shown at once, and taken back when it fails. */
export function useTicketActions(id: string): TicketActions {
  const client = useQueryClient();
  const toast = useToast();
  const errorText = useErrorText();
  const path = { ticket_id: id };

  function onError(error: unknown): void {
    toast(errorText(error));
    // Somebody else was first, or the ticket has gone: show what is.
    if (isProblem(error, 409) || isProblem(error, 404))
      void client.invalidateQueries({ queryKey: keys.ticket(id) });
  }

  const change = useMutation({
    mutationFn: (values: TicketChange) =>
      unwrap(api.PATCH("/api/v1/tickets/{ticket_id}", { params: { path }, body: values })),
    onMutate: ({ status, priority }) => {
      const before = client.getQueryData<Ticket>(keys.ticket(id));
      if (before !== undefined) {
        client.setQueryData<Ticket>(keys.ticket(id), {
          ...before,
          ...(status ? { status } : {}),
          ...(priority ? { priority } : {}),
        });
      }
      return before;
    },
    onSuccess: (ticket) => client.setQueryData(keys.ticket(id), ticket),
    onError: (error, _values, before) => {
      if (before !== undefined) client.setQueryData(keys.ticket(id), before);
      onError(error);
    },
  });

  const hand = useMutation({
    mutationFn: (to: "ai" | "human" | "queue") =>
      unwrap(api.POST("/api/v1/tickets/{ticket_id}/handoff", { params: { path }, body: { to } })),
    onSuccess: (ticket) => {
      client.setQueryData(keys.ticket(id), ticket);
      void client.invalidateQueries({ queryKey: keys.events(id) });
    },
    onError,
  });

  return {
    change: (values) => change.mutate(values),
    hand: (to) => {
      if (!hand.isPending) hand.mutate(to);
    },
    handing: hand.isPending,
  };
}
