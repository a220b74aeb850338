import type card from "./en.card.json";
import en from "./en.json";
import type privacy from "./en.privacy.json";
import type source from "./en.source.json";
import type tour from "./en.tour.json";

type Catalogue = typeof en & typeof card & typeof privacy & typeof source & typeof tour;
export type Key = { [K in keyof Catalogue]: Catalogue[K] extends string ? K : never }[keyof Catalogue];
export type PluralKey = Exclude<keyof Catalogue, Key>;
type Forms = Partial<Record<Intl.LDMLPluralRule, string>> & { other: string };
export type Values = Readonly<Record<string, string | number>>;

const LOADERS: Readonly<Record<string, () => Promise<{ default: unknown }>>> = {};
const RTL = new Set(["ar", "he", "fa", "ur"]);
const PLACE = /\{(\w+)\}/g;

/** Texts in one language. */
export class Words {
  readonly #plurals: Intl.PluralRules;

  constructor(
    readonly locale: string,
    private readonly catalogue: Catalogue,
  ) {
    this.#plurals = new Intl.PluralRules(locale);
  }

  get direction(): "ltr" | "rtl" {
    return RTL.has(this.locale.split("-")[0] ?? "") ? "rtl" : "ltr";
  }

  say(key: Key, values: Values = {}): string {
    return filled(this.catalogue[key], values);
  }

  count(key: PluralKey, count: number, values: Values = {}): string {
    const forms = this.catalogue[key] as Forms;
    const form = forms[this.#plurals.select(count)] ?? forms.other;
    return filled(form, { count: new Intl.NumberFormat(this.locale).format(count), ...values });
  }

  day(at: Date): string {
    return new Intl.DateTimeFormat(this.locale, { dateStyle: "medium" }).format(at);
  }

  time(at: Date): string {
    return new Intl.DateTimeFormat(this.locale, { hour: "numeric", minute: "2-digit" }).format(at);
  }
}

const english: Partial<Catalogue> = { ...en };
export const ENGLISH = new Words("en", english as Catalogue);

/** English texts of a part that came later; other languages come whole. */
export function teach(texts: Partial<Catalogue>): void {
  Object.assign(english, texts);
}

/** The texts of the best language that there is for a locale; English where there is none. */
export async function wordsFor(locale: string): Promise<Words> {
  const [language = "en"] = locale.split("-");
  const found = [locale, language].find((name) => name in LOADERS);
  const load = found === undefined ? undefined : LOADERS[found];
  if (found === undefined || load === undefined) return ENGLISH;
  return new Words(found, (await load()).default as Catalogue);
}

function filled(text: string, values: Values): string {
  return text.replace(PLACE, (whole, name: string) => String(values[name] ?? whole));
}
