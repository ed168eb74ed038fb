import type { TicketEvent } from "../api/types";

export type LiveState = "connecting" | "open" | "lost";

interface Handlers {
  onEvents: (events: TicketEvent[]) => void;
  onTyping: (typing: Typing) => void;
  onState: (state: LiveState) => void;
  /** The server may have dropped events that this client has not seen: everything shown is to be fetched again. */
  onGap: () => void;
  /** The session has ended. */
  onSignedOut: () => void;
}

/** Somebody outside, or the AI, is writing. */
export interface Typing {
  ticket_id: string;
  active: boolean;
  name: string;
}

const KNOWN_MAX = 2_000;
const PING_EVERY = 25_000;
const SILENCE_MAX = 60_000;
const BATCH = 120;
const UNAUTHORISED = 4401;

type Frame =
  | { type: "hello"; cursor: number; complete: boolean }
  | { type: "event"; cursor: number; event: unknown }
  | ({ type: "typing" } & Typing);

function isEvent(value: unknown): value is TicketEvent {
  return typeof value === "object" && value !== null && "id" in value && "ticket_id" in value;
}

/**
 * The live feed: one websocket that comes back by itself, resumes at its cursor, and drops what is already known
 * (event ids are given before their commit, so the server repeats an overlap).
 */
export class LiveConnection {
  private socket: WebSocket | null = null;
  private cursor: number | null = null;
  private attempts = 0;
  private stopped = false;
  private readonly known = new Set<number>();
  private waiting: TicketEvent[] = [];
  private flushTimer: number | undefined;
  private retryTimer: number | undefined;
  private pingTimer: number | undefined;
  private heardAt = 0;

  constructor(private readonly handlers: Handlers) {}

  start(): void {
    this.stopped = false;
    window.addEventListener("online", this.now);
    document.addEventListener("visibilitychange", this.now);
    this.connect();
  }

  stop(): void {
    this.stopped = true;
    window.removeEventListener("online", this.now);
    document.removeEventListener("visibilitychange", this.now);
    clearTimeout(this.retryTimer);
    clearTimeout(this.flushTimer);
    clearInterval(this.pingTimer);
    this.socket?.close();
    this.socket = null;
  }

  /** Somebody is looking, or the network is back: no reason to wait. */
  private readonly now = (): void => {
    if (this.socket === null && !this.stopped && document.visibilityState === "visible") {
      clearTimeout(this.retryTimer);
      this.connect();
    }
  };

  /** Tells the customer, where the channel can show it, that an answer is being written. */
  sendTyping(ticketId: string, active: boolean): void {
    if (this.socket?.readyState === WebSocket.OPEN) {
      this.socket.send(JSON.stringify({ type: "typing", ticket_id: ticketId, active }));
    }
  }

  private connect(): void {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const cursor = this.cursor === null ? "" : `?cursor=${this.cursor}`;
    const socket = new WebSocket(`${scheme}://${location.host}/api/v1/live${cursor}`);
    this.socket = socket;
    this.handlers.onState(this.attempts === 0 ? "connecting" : "lost");
    socket.onmessage = (message) => {
      if (this.socket === socket) this.receive(String(message.data));
    };
    socket.onclose = (event) => {
      if (this.socket !== socket) return;
      if (event.code === UNAUTHORISED) {
        this.stop();
        this.handlers.onSignedOut();
      } else {
        this.lost();
      }
    };
  }

  private lost(): void {
    this.socket = null;
    clearInterval(this.pingTimer);
    if (this.stopped) return;
    this.attempts += 1;
    this.handlers.onState("lost");
    const ceiling = Math.min(20_000, 500 * 2 ** Math.min(this.attempts, 6));
    this.retryTimer = window.setTimeout(() => this.connect(), ceiling * (0.5 + Math.random() / 2));
  }

  private receive(data: string): void {
    this.heardAt = Date.now();
    const frame = JSON.parse(data) as Frame;
    if (frame.type === "hello") {
      // Before the first hello the page has fetched without hearing; after a long absence events are left out.
      if (this.cursor === null || !frame.complete) {
        this.cursor = frame.cursor;
        this.handlers.onGap();
      }
      this.attempts = 0;
      this.handlers.onState("open");
      this.keepAlive();
    } else if (frame.type === "event" && isEvent(frame.event)) {
      this.cursor = Math.max(this.cursor ?? 0, frame.cursor);
      if (this.known.has(frame.event.id)) return;
      this.remember(frame.event.id);
      this.waiting.push(frame.event);
      this.flushTimer ??= window.setTimeout(() => this.flush(), BATCH);
    } else if (frame.type === "typing") {
      this.handlers.onTyping(frame);
    }
  }

  /** A burst of events is one look at the server. */
  private flush(): void {
    this.flushTimer = undefined;
    const events = this.waiting;
    this.waiting = [];
    if (events.length > 0) this.handlers.onEvents(events);
  }

  private remember(id: number): void {
    this.known.add(id);
    if (this.known.size > KNOWN_MAX) {
      const [oldest] = this.known;
      if (oldest !== undefined) this.known.delete(oldest);
    }
  }

  private keepAlive(): void {
    clearInterval(this.pingTimer);
    this.pingTimer = window.setInterval(() => {
      if (Date.now() - this.heardAt > SILENCE_MAX) this.socket?.close();
      else this.socket?.send('{"type":"ping"}');
    }, PING_EVERY);
  }
}
