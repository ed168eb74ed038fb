import { useI18n } from "../i18n/I18n";
import { useChannelType } from "./queries";
import type { Ticket } from "./types";

/** How a contact is called: by name, else by address; an address that means nothing to people is shortened. */
export function useContactName(ticket: Ticket): { name: string; address: string | null } {
  const { t } = useI18n();
  const anonymous = useChannelType(ticket.channel)?.peer_kind === "visitor";
  const { name, address } = ticket.contact;
  if (anonymous)
    return { name: name ?? t("contact.visitor", { id: (address ?? "").slice(-4) }), address: null };
  return { name: name ?? address ?? t("contact.unknown"), address: name === null ? null : (address ?? null) };
}
