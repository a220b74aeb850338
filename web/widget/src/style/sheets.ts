import base from "./base.css";
import card from "./card.css";
import log from "./log.css";
import panel from "./panel.css";
import tour from "./tour.css";

let made: CSSStyleSheet[] | null = null;

/** Constructed once for all elements of a page. */
export function sheets(): CSSStyleSheet[] {
  made ??= [base, panel, log, card, tour].map((text) => {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(text);
    return sheet;
  });
  return made;
}
