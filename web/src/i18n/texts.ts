import english from "../../../locales/en/LC_MESSAGES/inbox.po";
import type { Entry } from "../../build/catalogues";

export type Catalogue = Record<string, Entry>;
export type Values = Record<string, string | number>;

/** English is compiled in: the first page needs no catalogue, and no gap in a translation is ever empty. */
export const ENGLISH: Catalogue = english;

const CLDR_ORDER: Intl.LDMLPluralRule[] = ["zero", "one", "two", "few", "many", "other"];

/**
 * Which plural form a number takes. Forms stand in CLDR's order (the catalogues' tests see to it); where a
 * language has fewer of them than CLDR has categories, the last one serves the rest.
 */
export function pluralIndex(rules: Intl.PluralRules, count: number, forms: number): number {
  const known = rules.resolvedOptions().pluralCategories;
  const order = CLDR_ORDER.filter((category) => known.includes(category));
  return Math.min(order.indexOf(rules.select(count)), forms - 1);
}

function fill(text: string, values: Values): string {
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
}

/** Sentences in one language. An unknown id is shown as itself, so that it is seen and mended. */
export class Texts {
  private readonly rules: Intl.PluralRules;
  private readonly englishRules = new Intl.PluralRules("en");

  constructor(
    readonly language: string,
    private readonly catalogue: Catalogue,
  ) {
    this.rules = new Intl.PluralRules(language);
  }

  has(id: string): boolean {
    return id in this.catalogue || id in ENGLISH;
  }

  /** `count` chooses the plural form and fills `{count}`. */
  text(id: string, values: Values = {}): string {
    const own = this.catalogue[id];
    const entry = own ?? ENGLISH[id];
    if (entry === undefined) return id;
    if (typeof entry === "string") return fill(entry, values);
    const count = Number(values["count"] ?? 0);
    const rules = own === undefined ? this.englishRules : this.rules;
    const shown = { ...values, count: new Intl.NumberFormat(this.language).format(count) };
    return fill(entry[pluralIndex(rules, count, entry.length)] ?? id, shown);
  }
}
