/** A message that the house has not taken yet. */
export interface Unsent {
  id: string;
  text: string;
  at: string;
}

interface Kept {
  token?: string;
  outbox?: Unsent[];
  draft?: string;
}

/** What outlives the page, in the embedding site's own storage. Works without storage too, for as long as the page. */
export class Store {
  private readonly name: string;
  private kept: Kept = {};

  constructor(key: string) {
    this.name = `autocrm.widget.${key}`;
    this.kept = this.read();
  }

  get token(): string | undefined {
    return this.kept.token;
  }

  set token(token: string | undefined) {
    this.write({ token });
  }

  get draft(): string {
    return this.kept.draft ?? "";
  }

  set draft(draft: string) {
    this.write({ draft });
  }

  get outbox(): Unsent[] {
    return this.kept.outbox ?? [];
  }

  keep(message: Unsent): void {
    this.write({ outbox: [...this.outbox.filter((one) => one.id !== message.id), message] });
  }

  drop(id: string): void {
    this.write({ outbox: this.outbox.filter((one) => one.id !== id) });
  }

  private read(): Kept {
    try {
      return JSON.parse(localStorage.getItem(this.name) ?? "{}") as Kept;
    } catch {
      return {};
    }
  }

  private write(changed: { [Name in keyof Kept]: Kept[Name] | undefined }): void {
    // Another tab may have written meanwhile; only what changes here is replaced.
    this.kept = { ...this.kept, ...this.read(), ...changed };
    try {
      localStorage.setItem(this.name, JSON.stringify(this.kept));
    } catch {
      // Storage is off or full: the page remembers.
    }
  }
}

/** A random id (UUID version 4), also where `crypto.randomUUID` is missing for want of TLS. */
export function newId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}
