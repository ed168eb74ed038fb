import { useMutation, useQuery, useQueryClient, type UseMutationResult } from "@tanstack/react-query";
import { api, unwrap } from "../api/client";
import { keys } from "../api/keys";
import type { LabFile, LabLine, Verb } from "../api/types";
import type { Customer } from "./personas";

const LOOK_EVERY = 1_000;

/** One thing to do as the customer. */
export interface Deed {
  verb: Verb;
  text?: string;
  subject?: string;
  target?: string | null;
  files?: File[];
}

export type Acting = UseMutationResult<unknown, unknown, Deed>;

/** The customer's side of the conversation, oldest first; looked at every second while the page is seen. */
export function useLines(accountId: string, who: string) {
  return useQuery({
    queryKey: keys.labLines(accountId, who),
    enabled: who !== "",
    refetchInterval: LOOK_EVERY,
    staleTime: 0,
    queryFn: async (): Promise<LabLine[]> =>
      (
        await unwrap(
          api.GET("/api/v1/lab/{account_id}/lines", {
            params: { path: { account_id: accountId }, query: { who } },
          }),
        )
      ).items,
  });
}

async function carried(file: File): Promise<LabFile> {
  const bytes = new Uint8Array(await file.arrayBuffer());
  let text = "";
  // In pieces: arguments of one call are limited.
  for (let at = 0; at < bytes.length; at += 0x8000) {
    text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  }
  return {
    filename: file.name,
    content_type: file.type || "application/octet-stream",
    content: btoa(text),
  };
}

/** Acts as the customer. It is done when the provider has taken it and the lines have been read anew. */
export function useAct(accountId: string, customer: Customer): Acting {
  const client = useQueryClient();
  return useMutation({
    mutationFn: async ({ verb, text = "", subject = "", target = null, files = [] }: Deed) =>
      unwrap(
        api.POST("/api/v1/lab/{account_id}/acts", {
          params: { path: { account_id: accountId } },
          body: {
            verb,
            who: customer.who,
            name: customer.name,
            subject,
            text,
            target,
            files: await Promise.all(files.map(carried)),
          },
        }),
      ),
    onSettled: () => client.invalidateQueries({ queryKey: keys.labLines(accountId, customer.who) }),
  });
}
