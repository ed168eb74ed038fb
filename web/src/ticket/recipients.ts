import type { Account, Message } from "../api/types";

/** The addresses of one kind on a message. */
export function addresses(recipients: Message["recipients"], kind: "to" | "cc" | "bcc"): string[] {
  const found = recipients[kind];
  return Array.isArray(found) ? found.filter((value): value is string => typeof value === "string") : [];
}

/** Everything that a connected account calls itself in its settings: whom a reply must not be copied to. */
export function ownAddresses(accounts: Account[]): Set<string> {
  const own = new Set<string>();
  for (const account of accounts) {
    for (const value of Object.values(account.settings)) {
      if (typeof value === "string") own.add(value.toLowerCase());
    }
  }
  return own;
}

function withoutTag(address: string): string {
  return address.toLowerCase().replace(/\+[^@]*@/, "@");
}

/** Whom a reply to all is copied to: everybody on the newest message of the customer, but the customer and ourselves. */
export function replyAll(messages: Message[], own: Set<string>, customer: string | null): string[] {
  const newest = messages.findLast((message) => message.direction === "in" && message.deleted_at === null);
  if (newest === undefined) return [];
  const others = [...addresses(newest.recipients, "to"), ...addresses(newest.recipients, "cc")];
  const left = others.filter(
    (address) => !own.has(withoutTag(address)) && address.toLowerCase() !== customer?.toLowerCase(),
  );
  return [...new Set(left)];
}

/** Addresses as people type them: by commas, semicolons or spaces. */
export function splitAddresses(text: string): string[] {
  return [...new Set(text.split(/[\s,;]+/).filter(Boolean))];
}
