// Short messages at the foot of the page, read out by screen readers; errors stay until closed.

import { h } from "./dom.js";

const STAYS_MS = 5000;
const place = h("div", { class: "notes", role: "status", "aria-live": "polite" });
document.body.append(place);

// Whoever goes elsewhere has read what went well.
export function calm() {
  for (const note of place.querySelectorAll(".good:not(:has(.button))")) note.remove();
}

export function say(content, tone = "good", action) {
  const gone = () => note.remove();
  const close = h("button", { type: "button", class: "close", "aria-label": "Close" }, "×");
  close.addEventListener("click", gone);
  const note = h("div", { class: `note ${tone}` }, h("div", {}, content), action, close);
  place.append(note);
  while (place.children.length > 3) place.firstChild.remove();
  if (tone === "good" && !action) setTimeout(gone, STAYS_MS);
  return note;
}
