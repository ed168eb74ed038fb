const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const UNITS = ["byte", "kilobyte", "megabyte", "gigabyte"] as const;

/** Dates, sizes and names as the reader's language writes them. */
export class Formats {
  private readonly full: Intl.DateTimeFormat;
  private readonly time: Intl.DateTimeFormat;
  private readonly date: Intl.DateTimeFormat;
  private readonly relative: Intl.RelativeTimeFormat;
  private readonly languages: Intl.DisplayNames;
  private readonly percents: Intl.NumberFormat;
  private readonly digits: Intl.NumberFormat;
  private readonly twoDigits: Intl.NumberFormat;

  constructor(private readonly language: string) {
    this.full = new Intl.DateTimeFormat(language, { dateStyle: "full", timeStyle: "short" });
    this.time = new Intl.DateTimeFormat(language, { timeStyle: "short" });
    this.date = new Intl.DateTimeFormat(language, { day: "numeric", month: "short" });
    this.relative = new Intl.RelativeTimeFormat(language, { numeric: "auto", style: "narrow" });
    this.languages = new Intl.DisplayNames([language], { type: "language", fallback: "code" });
    this.digits = new Intl.NumberFormat(language);
    this.twoDigits = new Intl.NumberFormat(language, { minimumIntegerDigits: 2 });
    this.percents = new Intl.NumberFormat(language, { style: "percent", maximumFractionDigits: 0 });
  }

  moment(at: string): string {
    return this.full.format(new Date(at));
  }

  clock(at: string): string {
    return this.time.format(new Date(at));
  }

  day(at: string): string {
    return this.date.format(new Date(at));
  }

  /** As lists show it: minutes and hours within a day, then the date. */
  ago(at: string, now: number): string {
    const elapsed = Math.max(0, now - Date.parse(at));
    if (elapsed < MINUTE) return this.relative.format(0, "second");
    if (elapsed < HOUR) return this.relative.format(-Math.floor(elapsed / MINUTE), "minute");
    if (elapsed < DAY) return this.relative.format(-Math.floor(elapsed / HOUR), "hour");
    return this.day(at);
  }

  /** "Today", "Yesterday", or the date. */
  dayName(at: string, now: number): string {
    const midnight = (moment: number) => new Date(moment).setHours(0, 0, 0, 0);
    const days = Math.round((midnight(Date.parse(at)) - midnight(now)) / DAY);
    if (days === 0 || days === -1) {
      const name = new Intl.RelativeTimeFormat(this.language, { numeric: "auto" }).format(days, "day");
      return name.charAt(0).toLocaleUpperCase(this.language) + name.slice(1);
    }
    return new Intl.DateTimeFormat(this.language, { dateStyle: "long" }).format(new Date(at));
  }

  size(bytes: number): string {
    let value = bytes;
    let unit = 0;
    while (value >= 1000 && unit < UNITS.length - 1) {
      value /= 1000;
      unit += 1;
    }
    return new Intl.NumberFormat(this.language, {
      style: "unit",
      unit: UNITS[unit] ?? "byte",
      unitDisplay: "short",
      maximumFractionDigits: unit > 1 ? 1 : 0,
    }).format(value);
  }

  languageName(tag: string): string {
    try {
      return this.languages.of(tag) ?? tag;
    } catch {
      return tag;
    }
  }

  percent(share: number): string {
    return this.percents.format(share);
  }

  /** Minutes and seconds of a recording, as players show them. */
  length(seconds: number): string {
    const whole = Math.floor(seconds);
    return `${this.digits.format(Math.floor(whole / 60))}:${this.twoDigits.format(whole % 60)}`;
  }

  list(items: string[]): string {
    return new Intl.ListFormat(this.language, { type: "unit", style: "short" }).format(items);
  }
}
