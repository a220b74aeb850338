// Figures as people read them.

import { session } from "./session.js";

// Cents in the workspace's currency.
export function money(cents, currency = session.workspace?.currency ?? "USD") {
  const format = { style: "currency", currency, maximumFractionDigits: 0 };
  return new Intl.NumberFormat(undefined, format).format(cents / 100);
}

export const percent = (part, whole) =>
  (whole ? `${Math.round((100 * part) / whole)} %` : "–");

const DAY = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric" });
export const day = (stamp) => DAY.format(new Date(stamp));
