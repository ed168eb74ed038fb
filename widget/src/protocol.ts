/** What goes over the wire between widget and house. */

export interface Citation {
  title: string;
  url: string | null;
}

export interface Message {
  id: string;
  client_id: string | null;
  author: "you" | "ai" | "agent" | "system";
  name: string | null;
  text: string;
  citations: Citation[];
  at: string;
}

export type Handoff = "ai" | "queue" | "human" | "review";

export interface Config {
  company: string;
  bot_name: string;
  language: string;
  rtl: boolean;
  colour: string;
  text_max?: number;
  texts: Record<string, string | string[]>;
}

export interface Welcome {
  token: string;
  conversation: string;
  config: Config;
}

export type ServerFrame =
  | { type: "ready"; cursor: number; messages: Message[] }
  | { type: "message"; cursor: number; message: Message }
  | { type: "accepted"; client_id: string }
  | { type: "typing"; active: boolean; name: string }
  | { type: "state"; handoff: Handoff }
  | { type: "error"; code: string; client_id: string | null; detail: string };

export type ClientFrame =
  | { type: "hello"; token: string; cursor: number | null }
  | { type: "message"; client_id: string; text: string }
  | { type: "typing"; active: boolean }
  | { type: "person" }
  | { type: "ping" };

export const TEXT_MAX = 8_000;

/** Errors after which the same message can never be accepted. */
export const HOPELESS = new Set(["message_empty", "message_too_long", "frame_invalid"]);
