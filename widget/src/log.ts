import type { State } from "./connection";
import { el, link, linked, safeAddress } from "./dom";
import type { Message } from "./protocol";
import type { Unsent } from "./store";
import type { Texts } from "./texts";

/** A message that this page sent and the house has taken, until it comes back as part of the conversation. */
interface Own extends Unsent {
  accepted: boolean;
}

/**
 * The conversation: a polite live region that only ever grows, so that screen readers hear what is new and nothing
 * twice. Elements are kept by id; rendering adds, moves and relabels them.
 */
export class Log {
  readonly element = el("div", { class: "log", role: "log", "aria-live": "polite", tabindex: "0" });
  onRetry: () => void = () => undefined;
  botName = "";
  /** Who is typing; null when nobody is. */
  typing: string | null = null;
  hasAgent = false;

  private readonly intro = el("p", { class: "intro" });
  private readonly list = el("ol", { class: "messages" });
  private readonly typingLine = el("p", { class: "typing", hidden: "" });
  private readonly messages = new Map<string, Message>();
  private readonly own = new Map<string, Own>();
  private readonly shown = new Map<string, HTMLElement>();

  constructor(private readonly texts: () => Texts) {
    this.element.append(this.intro, this.list, this.typingLine);
    new ResizeObserver(() => this.follow()).observe(this.list);
  }

  private atEnd = true;
  /** The newest message of the other side: a long one is shown from its beginning. */
  private reading: HTMLElement | null = null;

  /** Takes messages of the house; returns whether any was new. */
  addAll(messages: Message[]): boolean {
    let fresh = false;
    for (const message of messages) {
      if (this.messages.has(message.id)) continue;
      fresh = true;
      this.messages.set(message.id, message);
      if (message.author === "agent") this.hasAgent = true;
      if (message.client_id !== null) {
        // The bubble that was shown while sending becomes the message itself.
        const bubble = this.shown.get(message.client_id);
        if (bubble) this.shown.set(message.id, bubble);
        this.shown.delete(message.client_id);
        this.own.delete(message.client_id);
      }
    }
    return fresh;
  }

  ownMessage(message: Unsent): void {
    this.own.set(message.id, { ...message, accepted: false });
  }

  accepted(id: string): void {
    const message = this.own.get(id);
    if (message) message.accepted = true;
  }

  toEnd(): void {
    this.atEnd = true;
    this.reading = null;
    this.element.scrollTop = this.element.scrollHeight;
  }

  private follow(): void {
    if (!this.atEnd) return;
    const end = this.element.scrollHeight - this.element.clientHeight;
    const begin = this.reading === null ? end : this.reading.offsetTop - this.element.offsetTop - 8;
    this.element.scrollTop = Math.min(begin, end);
  }

  render(outbox: Unsent[], state: State): void {
    const texts = this.texts();
    this.atEnd = this.element.scrollHeight - this.element.scrollTop - this.element.clientHeight < 60;
    this.element.setAttribute("aria-label", texts.get("title"));
    this.intro.textContent = texts.get("intro");
    for (const message of outbox) if (!this.own.has(message.id)) this.ownMessage(message);
    const unsent = new Set(outbox.map((message) => message.id));

    let fresh: HTMLElement | null = null;
    for (const message of this.messages.values()) {
      const bubble = this.shown.get(message.id);
      if (bubble === undefined) {
        const made = this.show(message.id, this.bubble(message));
        if (message.author !== "you") fresh ??= made;
      } else if (message.author === "you") this.label(bubble, "");
    }
    for (const [id, message] of this.own) {
      const waiting = unsent.has(id) && !message.accepted;
      const bubble = this.shown.get(id) ?? this.show(id, this.ownBubble(message));
      this.label(bubble, waiting ? (state === "open" ? "sending" : "not_sent") : "");
    }
    this.typingLine.hidden = this.typing === null;
    this.typingLine.textContent = this.typing === null ? "" : texts.get("typing", { name: this.typing });
    this.reading = fresh ?? this.reading;
    this.follow();
  }

  private show(id: string, bubble: HTMLElement): HTMLElement {
    this.shown.set(id, bubble);
    this.list.append(bubble);
    return bubble;
  }

  private bubble(message: Message): HTMLElement {
    const texts = this.texts();
    const mine = message.author === "you";
    const name = mine ? texts.get("you") : (message.name ?? (this.botName || texts.get("bot_name")));
    const head = el("p", { class: mine ? "hidden" : "who" }, name);
    if (message.author === "ai") head.append(" ", el("span", { class: "ai-badge" }, texts.get("ai_badge")));
    const item = el(
      "li",
      { class: `message ${message.author}` },
      head,
      el("div", { class: "text", dir: "auto" }, ...linked(message.text)),
    );
    if (message.citations.length > 0) {
      const sources = el("ul", { class: "sources" });
      for (const { title, url } of message.citations) {
        sources.append(el("li", {}, safeAddress(url) ? link(url, title) : title));
      }
      const heading = texts.get("sources", { count: message.citations.length });
      item.append(el("p", { class: "sources-title" }, heading), sources);
    }
    const at = new Date(message.at);
    const clock = new Intl.DateTimeFormat(texts.language, { timeStyle: "short" }).format(at);
    item.append(el("p", { class: "foot" }, el("time", { datetime: message.at }, clock)));
    return item;
  }

  private ownBubble(message: Own): HTMLElement {
    return this.bubble({
      id: message.id,
      client_id: message.id,
      author: "you",
      name: null,
      text: message.text,
      citations: [],
      at: message.at,
    });
  }

  /** Says below a message of one's own what became of it. */
  private label(bubble: HTMLElement, id: "" | "sending" | "not_sent"): void {
    if ((bubble.dataset["state"] ?? "") === id) return;
    const foot = bubble.querySelector(".foot");
    foot?.querySelectorAll(".state, button").forEach((element) => element.remove());
    bubble.dataset["state"] = id;
    if (id === "" || foot === null) return;
    const texts = this.texts();
    foot.prepend(el("span", { class: "state" }, texts.get(id)), " ");
    if (id === "not_sent") {
      const retry = el("button", { type: "button" }, texts.get("retry"));
      retry.onclick = () => this.onRetry();
      foot.append(" ", retry);
    }
  }
}
