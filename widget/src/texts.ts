import first, { ids } from "virtual:first-texts";

export type Catalogue = Record<string, string | string[]>;

const CLDR_ORDER: Intl.LDMLPluralRule[] = ["zero", "one", "two", "few", "many", "other"];
const RTL = /^(ar|fa|he|ur)\b/;

export function isRtl(language: string): boolean {
  return RTL.test(language);
}

/** The texts that are built in, in the nearest language there is. */
export function firstCatalogue(language: string): Catalogue {
  const base = language.split("-")[0] ?? "";
  const hant = /^zh-(Hant|TW|HK|MO)\b/i.test(language) ? first["zh-Hant"] : undefined;
  const texts = hant ?? first[language] ?? first[base] ?? first["en"] ?? [];
  return Object.fromEntries(ids.map((id, index) => [`widget.${id}`, texts[index] ?? ""]));
}

/** Sentences of the widget, by their ids without `widget.`. */
export class Texts {
  constructor(
    readonly language: string,
    private readonly catalogue: Catalogue,
  ) {}

  get(id: string, values: Record<string, string | number> = {}): string {
    const entry = this.catalogue[`widget.${id}`] ?? "";
    const text = typeof entry === "string" ? entry : (entry[this.form(values["count"], entry.length)] ?? "");
    return text.replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
  }

  /** Forms stand in CLDR's order; where there are fewer than categories, the last one serves the rest. */
  private form(count: string | number | undefined, forms: number): number {
    const rules = new Intl.PluralRules(this.language);
    const known = rules.resolvedOptions().pluralCategories;
    const order = CLDR_ORDER.filter((category) => known.includes(category));
    return Math.min(order.indexOf(rules.select(Number(count ?? 0))), forms - 1);
  }
}
