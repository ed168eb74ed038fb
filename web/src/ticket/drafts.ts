export type Mode = "reply" | "note";

/** What is being written on a ticket, kept on this device until it is sent. */
export interface Draft {
  mode: Mode;
  reply: string;
  note: string;
  /** Null: as the message being answered has it. */
  cc: string | null;
}

const PREFIX = "autocrm.draft.";
const EMPTY: Draft = { mode: "reply", reply: "", note: "", cc: null };

export function loadDraft(ticketId: string): Draft {
  const stored = localStorage.getItem(PREFIX + ticketId);
  if (stored === null) return EMPTY;
  try {
    return { ...EMPTY, ...(JSON.parse(stored) as Partial<Draft>) };
  } catch {
    return EMPTY;
  }
}

export function storeDraft(ticketId: string, draft: Draft): void {
  if (draft.reply === "" && draft.note === "") localStorage.removeItem(PREFIX + ticketId);
  else localStorage.setItem(PREFIX + ticketId, JSON.stringify(draft));
}

export function forgetDrafts(): void {
  for (const name of Object.keys(localStorage)) {
    if (name.startsWith(PREFIX)) localStorage.removeItem(name);
  }
}
