import type { Attachment, Message } from "../api/types";

/** A piece of a transcript; times in seconds from the beginning of the recording. */
export interface Segment {
  start: number;
  end: number;
  text: string;
}

function isSegment(value: unknown): value is Segment {
  if (typeof value !== "object" || value === null) return false;
  const { start, end, text } = value as Record<string, unknown>;
  return typeof start === "number" && typeof end === "number" && typeof text === "string";
}

/** What was heard in a file; empty where nothing was, or nobody has listened yet. */
export function segmentsOf(file: Attachment): Segment[] {
  const found = file.transcript?.["segments"];
  return Array.isArray(found) ? found.filter(isSegment) : [];
}

export function spokenLanguage(file: Attachment): string | null {
  const found = file.transcript?.["language"];
  return typeof found === "string" ? found : null;
}

/** Whether the message's text is nothing but its transcripts, which stand below the recordings already. */
export function isTranscript(message: Message): boolean {
  const heard = message.attachments
    .filter((file) => file.spoken)
    .flatMap((file) => segmentsOf(file).map((segment) => segment.text.trim()));
  const words = (text: string) => text.replace(/\s+/g, " ").trim();
  return heard.length > 0 && words(heard.join(" ")) === words(message.text);
}
