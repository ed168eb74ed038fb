import { Connection, type State } from "./connection";
import { el, icon, readableOn } from "./dom";
import { Log } from "./log";
import { TEXT_MAX, type Config, type Handoff, type ServerFrame } from "./protocol";
import { newId, Store } from "./store";
import styles from "./styles.css?inline";
import { firstCatalogue, isRtl, Texts } from "./texts";

const CHAT =
  "M4 5.5A2.5 2.5 0 0 1 6.5 3h11A2.5 2.5 0 0 1 20 5.5v8a2.5 2.5 0 0 1-2.5 2.5H11l-5 4.5V16A2.5 2.5 0 0 1 4 13.5z";
const CROSS = "M6 6l12 12M18 6L6 18";
const ARROW = "M5 12h14M13 6l6 6-6 6";
const NARROW = "(max-width: 480px), (max-height: 480px)";
const TYPING_EVERY = 4_000;

/** The button on the page and the chat window behind it, in a shadow tree of their own. */
export class Widget {
  private readonly host = document.createElement("autocrm-widget");
  private readonly store: Store;
  private readonly connection: Connection;
  private readonly log: Log;
  private texts: Texts;
  private config: Config | null = null;
  private textMax = TEXT_MAX;
  private handoff: Handoff = "ai";
  private opened = false;
  private unread = 0;
  private typingSentAt = 0;
  private state: State = "idle";

  private readonly launcher = el("button", { type: "button", class: "launcher", "aria-expanded": "false" });
  private readonly badge = el("span", { class: "badge", hidden: "" });
  private readonly panel = el("section", {
    class: "panel",
    role: "dialog",
    "aria-labelledby": "title",
    "aria-describedby": "notice",
    hidden: "",
  });
  private readonly title = el("h2", { id: "title" });
  private readonly company = el("p", { class: "company" });
  private readonly closer = el("button", { type: "button", class: "close" }, icon(CROSS));
  private readonly notice = el("p", { id: "notice", class: "notice" });
  private readonly status = el("p", { class: "status", role: "status" });
  private readonly form = el("form", { class: "form", novalidate: "" });
  private readonly label = el("label", { for: "text", class: "hidden" });
  private readonly input = el("textarea", {
    id: "text",
    rows: "1",
    "aria-describedby": "problem",
    enterkeyhint: "send",
  });
  private readonly problem = el("p", { id: "problem", class: "problem", role: "alert" });
  private readonly sender = el("button", { type: "submit", class: "send" }, icon(ARROW));
  private readonly person = el("button", { type: "button", class: "person" });

  constructor(base: URL, key: string, language: string) {
    this.store = new Store(key);
    this.texts = new Texts(language, firstCatalogue(language));
    this.log = new Log(() => this.texts);
    this.connection = new Connection(base, key, language, this.store, {
      onWelcome: ({ config }) => this.dress(config),
      onFrame: (frame) => this.receive(frame),
      onState: (state) => this.setState(state),
    });
  }

  mount(): void {
    const root = this.host.attachShadow({ mode: "open" });
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(styles);
    root.adoptedStyleSheets = [sheet];
    this.launcher.append(icon(CHAT), this.badge);
    this.form.append(this.label, this.input, this.sender, this.problem);
    this.panel.append(
      el("div", { class: "head" }, el("div", {}, this.title, this.company), this.closer),
      this.notice,
      this.log.element,
      this.status,
      this.form,
      this.person,
    );
    root.append(this.panel, this.launcher);
    document.body.append(this.host);
    this.input.value = this.store.draft;
    this.speak();
    this.listen();
  }

  // ------------------------------------------------------------------------------------------- opening and closing

  private listen(): void {
    this.launcher.onclick = () => (this.opened ? this.close() : this.open());
    this.closer.onclick = () => this.close();
    this.person.onclick = () => this.askForPerson();
    this.form.onsubmit = (event) => {
      event.preventDefault();
      this.submit();
    };
    this.input.oninput = () => this.written();
    this.panel.onkeydown = (event) => {
      if (event.key === "Escape") {
        event.stopPropagation();
        this.close();
      } else if (event.key === "Tab" && matchMedia(NARROW).matches) {
        this.keepFocusInside(event);
      }
    };
    this.input.onkeydown = (event) => {
      if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
        event.preventDefault();
        this.submit();
      }
    };
    this.log.onRetry = () => this.connection.flush();
  }

  private open(): void {
    this.opened = true;
    this.panel.hidden = false;
    // Full-screen, the page behind is out of reach.
    this.panel.setAttribute("aria-modal", String(matchMedia(NARROW).matches));
    this.launcher.setAttribute("aria-expanded", "true");
    this.host.toggleAttribute("data-open", true);
    this.setUnread(0);
    this.connection.start();
    this.log.toEnd();
    this.grow();
    this.input.focus();
  }

  private close(): void {
    this.opened = false;
    this.panel.hidden = true;
    this.launcher.setAttribute("aria-expanded", "false");
    this.host.toggleAttribute("data-open", false);
    this.launcher.focus();
  }

  private keepFocusInside(event: KeyboardEvent): void {
    const inside = Array.from(
      this.panel.querySelectorAll<HTMLElement>("button, a[href], textarea, [tabindex='0']"),
    );
    const reachable = inside.filter((element) => element.offsetParent !== null);
    const [first] = reachable;
    const last = reachable.at(-1);
    const focused = this.host.shadowRoot?.activeElement;
    if (event.shiftKey && focused === first) {
      event.preventDefault();
      last?.focus();
    } else if (!event.shiftKey && focused === last) {
      event.preventDefault();
      first?.focus();
    }
  }

  // ---------------------------------------------------------------------------------------------------- appearance

  private dress(config: Config): void {
    this.config = config;
    this.textMax = config.text_max ?? TEXT_MAX;
    this.texts = new Texts(config.language, config.texts);
    this.host.style.setProperty("--brand", config.colour);
    this.host.style.setProperty("--on-brand", readableOn(config.colour));
    this.speak();
    this.log.botName = config.bot_name;
    this.log.render(this.store.outbox, this.state);
  }

  /** Puts every text in its place, in the language there is by now. */
  private speak(): void {
    const { texts, config } = this;
    this.host.lang = texts.language;
    this.panel.dir = this.launcher.dir = (config?.rtl ?? isRtl(texts.language)) ? "rtl" : "ltr";
    this.host.toggleAttribute("data-rtl", this.panel.dir === "rtl");
    this.title.textContent = texts.get("title");
    this.company.textContent = config?.company ?? "";
    this.closer.setAttribute("aria-label", texts.get("close"));
    this.label.textContent = texts.get("input_label");
    this.input.placeholder = texts.get("input_placeholder");
    this.sender.setAttribute("aria-label", texts.get("send"));
    this.person.textContent = texts.get("person");
    this.setUnread(this.unread);
    this.setHandoff(this.handoff);
    this.setState(this.state);
  }

  private setHandoff(handoff: Handoff): void {
    this.handoff = handoff;
    const withPeople = handoff === "queue" || handoff === "human";
    this.notice.textContent = this.texts.get(withPeople ? "waiting_person" : "privacy_ai");
    this.notice.hidden = handoff === "human" && this.log.hasAgent;
    this.person.hidden = this.config === null || withPeople;
  }

  private setState(state: State): void {
    this.state = state;
    const id = { idle: "", connecting: "connecting", open: "", lost: "offline", failed: "error" }[state];
    const text = id === "" ? "" : this.texts.get(id);
    if (this.status.textContent !== text) this.status.textContent = text;
    this.log.render(this.store.outbox, state);
  }

  private setUnread(count: number): void {
    this.unread = count;
    this.badge.hidden = count === 0;
    this.badge.textContent = count === 0 ? "" : String(count);
    const open = this.texts.get("open");
    const label = count === 0 ? open : `${open}: ${this.texts.get("new_messages", { count })}`;
    this.launcher.setAttribute("aria-label", label);
  }

  // ------------------------------------------------------------------------------------------------------ messages

  private receive(frame: ServerFrame): void {
    switch (frame.type) {
      case "ready":
        this.log.addAll(frame.messages);
        break;
      case "message":
        if (frame.message.client_id !== null) this.store.drop(frame.message.client_id);
        if (this.log.addAll([frame.message]) && frame.message.author !== "you") {
          this.log.typing = null;
          if (!this.opened) this.setUnread(this.unread + 1);
        }
        break;
      case "accepted":
        this.log.accepted(frame.client_id);
        break;
      case "typing":
        this.log.typing = frame.active ? frame.name || this.texts.get("bot_name") : null;
        break;
      case "state":
        if (frame.handoff !== "ai") this.log.typing = null;
        break;
      case "error":
        this.problem.textContent = this.texts.get("error");
        break;
    }
    this.setHandoff(frame.type === "state" ? frame.handoff : this.handoff);
    this.log.render(this.store.outbox, this.state);
  }

  private submit(): void {
    const text = this.input.value.trim();
    if (text === "") {
      this.problem.textContent = this.texts.get("empty");
      return;
    }
    if (this.overLimit() > 0) return;
    const message = { id: newId(), text, at: new Date().toISOString() };
    this.store.keep(message);
    this.log.ownMessage(message);
    this.connection.flush();
    this.input.value = "";
    this.written();
    this.log.render(this.store.outbox, this.state);
    this.log.toEnd();
    this.input.focus();
  }

  private askForPerson(): void {
    if (this.connection.send({ type: "person" })) this.input.focus();
    else this.problem.textContent = this.texts.get("offline");
  }

  private overLimit(): number {
    return this.input.value.trim().length - this.textMax;
  }

  private written(): void {
    const over = this.overLimit();
    this.problem.textContent = over > 0 ? this.texts.get("too_long", { count: over }) : "";
    this.input.toggleAttribute("aria-invalid", over > 0);
    this.store.draft = this.input.value;
    this.grow();
    const now = Date.now();
    const active = this.input.value !== "";
    if (active ? now - this.typingSentAt > TYPING_EVERY : this.typingSentAt > 0) {
      this.connection.send({ type: "typing", active });
      this.typingSentAt = active ? now : 0;
    }
  }

  private grow(): void {
    this.input.style.height = "auto";
    this.input.style.height = `${Math.min(this.input.scrollHeight, 140)}px`;
  }
}
