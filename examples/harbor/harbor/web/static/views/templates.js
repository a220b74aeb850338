// Starter kits: what they bring, applied, and taken back within seven days.

import { call } from "../api.js";
import { agree, ask } from "../dialog.js";
import { fill, h } from "../dom.js";
import { area, badge, button, card, empty, muted, row, table, when } from "../parts.js";
import { say } from "../notes.js";

const APPLY = { needs: "kits.apply" };
const NAMES = { ecommerce: "E-commerce", fintech: "Fintech", healthcare: "Healthcare",
  "b2b-saas": "B2B SaaS", saas: "B2B SaaS" };
const NOTES = { healthcare: "Use pseudonymous ids only. Patient health data need a business " +
  "associate agreement." };

const nameOf = (kit) => NAMES[kit] ?? kit;

async function apply(kit, reload) {
  const path = { name: kit.id };
  const found = await call("POST", "/v1/kits/{name}/apply", { path, body: { dry_run: true } });
  const list = h("ul", { class: "log" }, found.dashboards.map((name) => h("li", {}, badge("dashboard"),
    " ", name)), kit.alerts.map((name) => h("li", {}, badge("alert"), " ", name)));
  const text = "It makes these, and alerts start muted for a day. Undo for 7 days.";
  if (!(await agree(`Apply ${nameOf(kit.id)}?`, text, "Apply", list))) return;
  const made = await call("POST", "/v1/kits/{name}/apply", { path, body: { dry_run: false } });
  say(`${nameOf(kit.id)} is applied: ${made.dashboards.length} dashboards, ` +
    `${made.alerts.length} alerts.`);
  await reload();
}

async function undo(kit, again) {
  const text = "Dashboards and alerts that nobody edited go; what was edited stays.";
  if (!(await ask(`Undo ${nameOf(kit.name)}?`, text, "Undo"))) return;
  const { kept } = await call("DELETE", "/v1/kits/{kit_id}", { path: { kit_id: kit.id } });
  say(kept.length ? `Undone; ${kept.length} edited ones stay.` : "Undone.");
  await again();
}

const kitCard = (kit, reload) => h("div", { class: "card choice" }, h("h2", {}, nameOf(kit.id)),
  h("ul", { class: "grow log" }, kit.dashboards.map((name) => h("li", {}, name)),
    kit.alerts.map((name) => h("li", { class: "muted" }, `Alert: ${name}`))),
  NOTES[kit.id] && h("small", {}, NOTES[kit.id]),
  row(button("Preview and apply", () => apply(kit, reload),
    { ...APPLY, kind: "primary", label: `Preview and apply ${nameOf(kit.id)}` })));

function applied(kits, again) {
  if (kits.length === 0) return empty("No kit applied", "Choose one above.");
  return table(["Kit", "Brought", "Applied", ""], kits.map((kit) => [nameOf(kit.name),
    `${kit.dashboards.length} dashboards, ${kit.alerts.length} alerts`, when(kit.created_at),
    button("Undo", () => undo(kit, again),
      { ...APPLY, small: true, kind: "danger", label: `Undo ${nameOf(kit.name)}` })]));
}

export async function view() {
  const { items } = await call("GET", "/v1/kits");
  const place = area(async () => (await call("GET", "/v1/kits/applied")).items, applied, "Loading");
  const grid = h("div", { class: "grid" });
  fill(grid, items.map((kit) => kitCard(kit, place.reload)));
  return h("div", {}, h("h1", { tabindex: -1 }, "Templates"),
    muted("Starter kits bring dashboards and alerts of an industry."), grid, card("Applied", place));
}
