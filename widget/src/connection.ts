import { HOPELESS, type ClientFrame, type ServerFrame, type Welcome } from "./protocol";
import type { Store } from "./store";

export type State = "idle" | "connecting" | "open" | "lost" | "failed";

interface Handlers {
  onWelcome: (welcome: Welcome) => void;
  onFrame: (frame: ServerFrame) => void;
  onState: (state: State) => void;
}

const UNAUTHORISED = 4401;
const FIRST_RETRY = 500;
const LAST_RETRY = 20_000;
/** A message unconfirmed for so long means that the line is dead, whatever the browser believes. */
const CONFIRM_WITHIN = 12_000;
const PING_EVERY = 30_000;

/**
 * The line to the house: comes back by itself with growing, jittered pauses, resumes at its cursor, and sends what is
 * unconfirmed again under the same id, so that nothing is lost and nothing happens twice.
 */
export class Connection {
  private socket: WebSocket | null = null;
  private ready = false;
  private cursor: number | null = null;
  private attempts = 0;
  private retry: ReturnType<typeof setTimeout> | undefined;
  private deadline: ReturnType<typeof setTimeout> | undefined;
  private ping: ReturnType<typeof setInterval> | undefined;
  private starting = false;

  constructor(
    private readonly base: URL,
    private readonly key: string,
    private readonly language: string,
    private readonly store: Store,
    private readonly handlers: Handlers,
  ) {
    addEventListener("online", this.hurry);
    document.addEventListener("visibilitychange", this.hurry);
  }

  /** Opens the line; does nothing when it is open or opening. */
  start(): void {
    if (this.socket === null && !this.starting) void this.connect();
  }

  send(frame: ClientFrame): boolean {
    if (!this.ready || this.socket?.readyState !== WebSocket.OPEN) return false;
    this.socket.send(JSON.stringify(frame));
    return true;
  }

  /** Sends every message that has not been confirmed, oldest first. */
  flush(): void {
    for (const { id, text } of this.store.outbox) this.send({ type: "message", client_id: id, text });
    this.expectConfirmation();
  }

  private readonly hurry = (): void => {
    if (this.attempts === 0 || this.socket !== null || document.visibilityState === "hidden") return;
    clearTimeout(this.retry);
    this.start();
  };

  private async connect(): Promise<void> {
    this.starting = true;
    this.handlers.onState(this.attempts === 0 ? "connecting" : "lost");
    try {
      const welcome = await this.hello();
      this.handlers.onWelcome(welcome);
      this.open(welcome.token);
    } catch (error) {
      if (error instanceof Refused) this.handlers.onState("failed");
      else this.again();
    } finally {
      this.starting = false;
    }
  }

  private async hello(): Promise<Welcome> {
    const { token } = this.store;
    const answer = await fetch(new URL(`/api/widget/${this.key}/session`, this.base), {
      method: "POST",
      credentials: "omit",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ language: this.language, ...(token ? { token } : {}) }),
    });
    if (!answer.ok) {
      if (answer.status >= 500 || answer.status === 429) throw new Error(`status ${answer.status}`);
      throw new Refused(`status ${answer.status}`);
    }
    const welcome = (await answer.json()) as Welcome;
    if (welcome.token !== token) {
      // Another visitor than before: the old cursor and history mean nothing.
      this.cursor = null;
      this.store.token = welcome.token;
    }
    return welcome;
  }

  private open(token: string): void {
    const address = new URL(`/api/widget/${this.key}/live`, this.base);
    address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(address);
    this.socket = socket;
    socket.onopen = () => socket.send(JSON.stringify({ type: "hello", token, cursor: this.cursor }));
    socket.onmessage = (event) => {
      if (this.socket === socket) this.receive(JSON.parse(String(event.data)) as ServerFrame);
    };
    socket.onclose = (event) => {
      if (this.socket !== socket) return;
      if (event.code === UNAUTHORISED) this.store.token = undefined;
      this.closed();
    };
  }

  private receive(frame: ServerFrame): void {
    if (frame.type === "ready") {
      this.cursor = frame.cursor;
      this.ready = true;
      this.attempts = 0;
      clearInterval(this.ping);
      this.ping = setInterval(() => this.send({ type: "ping" }), PING_EVERY);
    } else if (frame.type === "message") {
      this.cursor = Math.max(this.cursor ?? 0, frame.cursor);
    } else if (frame.type === "accepted") {
      this.store.drop(frame.client_id);
      this.expectConfirmation();
    } else if (frame.type === "error" && frame.client_id !== null && HOPELESS.has(frame.code)) {
      this.store.drop(frame.client_id);
    } else if (frame.type === "error") {
      // Not stored just now, or too many at once: come again after a pause.
      setTimeout(() => this.flush(), 2_000 + Math.random() * 1_000);
    }
    this.handlers.onFrame(frame);
    if (frame.type === "ready") {
      this.handlers.onState("open");
      this.flush();
    }
  }

  private expectConfirmation(): void {
    clearTimeout(this.deadline);
    if (this.store.outbox.length === 0) return;
    const { socket } = this;
    this.deadline = setTimeout(() => {
      if (this.socket === socket && socket !== null && this.store.outbox.length > 0) {
        socket.close();
        this.closed();
      }
    }, CONFIRM_WITHIN);
  }

  private closed(): void {
    this.socket = null;
    this.ready = false;
    clearInterval(this.ping);
    clearTimeout(this.deadline);
    this.again();
  }

  private again(): void {
    this.attempts += 1;
    this.handlers.onState("lost");
    const ceiling = Math.min(LAST_RETRY, FIRST_RETRY * 2 ** Math.min(this.attempts, 8));
    clearTimeout(this.retry);
    this.retry = setTimeout(() => this.start(), ceiling * (0.5 + Math.random() / 2));
  }
}

/** The house knows this widget and says no: asking again is useless. */
class Refused extends Error {}
