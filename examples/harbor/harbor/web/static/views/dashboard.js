// One dashboard: its tiles drawn, and changed, shared, sent by mail or deleted.

import { all, call } from "../api.js";
import { remember, forget } from "../bin.js";
import { drawing } from "../charts.js";
import { ask } from "../dialog.js";
import { h } from "../dom.js";
import { form } from "../form.js";
import { area, badge, button, card, copyable, empty, muted, when } from "../parts.js";
import { say } from "../notes.js";
import { TILES, funnelOf, plain, tileOf } from "../tileform.js";

const EDIT = { needs: "dashboards.edit" };
const WEEKDAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

let opened = false; // a change draws the view anew; what was open stays open

const save = (dashboard, body) => call("PATCH", "/v1/dashboards/{dashboard_id}",
  { path: { dashboard_id: dashboard.id }, body });

function tile(each, known) {
  return h("section", { class: `card tile ${each.kind}` }, h("h2", {}, each.title),
    h("div", {}, drawing(each, known?.query)),
    each.why && h("details", {}, h("summary", {}, "Why this tile"), h("p", {}, each.why)));
}

// Single figures first, side by side; what needs room after them.
function ordered(dashboard, found) {
  const grid = (name, list) => list.length > 0 && h("div", { class: `tiles ${name}` }, list.map((each) =>
    tile(each, dashboard.tiles.find((t) => t.id === each.id))));
  const isFigure = (each) => typeof each.data === "number";
  return [grid("figures", found.filter(isFigure)), grid("wide",
    found.filter((each) => !isFigure(each)))];
}

function tiles(dashboard) {
  const path = { dashboard_id: dashboard.id };
  const load = () => call("GET", "/v1/dashboards/{dashboard_id}/data", { path });
  return area(load, (found, again) => [
    found.sample && h("p", { class: "banner" },
      "Figures of a sample. Run the full import to see all of your data."),
    found.tiles.length === 0 ? card(null, empty("No tile yet", "Add one below."))
      : ordered(dashboard, found.tiles),
    h("p", { class: "row muted computed" }, "Computed ", when(found.computed_at),
      button("Refresh", again, { small: true })),
  ], "Computing the figures");
}

async function remove(dashboard, go) {
  const text = "It goes to the bin, which keeps it for 30 days.";
  if (!(await ask(`Delete ${dashboard.name}?`, text, "Delete"))) return;
  const path = { dashboard_id: dashboard.id };
  await call("DELETE", "/v1/dashboards/{dashboard_id}", { path });
  remember(dashboard);
  const undo = button("Undo", async () => {
    await call("POST", "/v1/dashboards/{dashboard_id}/restore", { path });
    forget(dashboard.id);
    note.remove();
    await go(`/app/dashboards/${dashboard.id}`);
  }, { small: true });
  const note = say(`${dashboard.name} lies in the bin.`, "good", undo);
  await go("/app/dashboards");
}

function edit(dashboard, redraw) {
  const kept = dashboard.tiles.map((each, place) => h("li", { class: "row" }, badge(each.kind),
    h("span", { class: "grow" }, each.title),
    button("Remove", async () => {
      if (!(await ask(`Remove ${each.title}?`, "The figures stay; only the tile goes.",
        "Remove"))) return;
      await save(dashboard, { tiles: dashboard.tiles.filter((_t, n) => n !== place).map(plain) });
      await redraw();
    }, { ...EDIT, small: true, label: `Remove ${each.title}` })));
  const fields = [
    { name: "tile", label: "Add a tile", options: [...TILES, "Funnel"] },
    { name: "steps", label: "Steps of a funnel", placeholder: "signed_up, paid",
      hint: "Only for a funnel." },
  ];
  return card("Tiles", h("ul", { class: "log" }, kept), form(fields, async ({ tile: name, steps }) => {
    const more = name === "Funnel" ? funnelOf(steps ?? "") : tileOf(name);
    await save(dashboard, { tiles: [...dashboard.tiles.map(plain), more] });
    await redraw();
  }, { ...EDIT, kind: "plain", submit: "Add" }));
}

function sharing(dashboard, redraw) {
  const fields = [
    { name: "visibility", label: "Who sees it", value: dashboard.visibility, options: [
      ["private", "Only me"], ["workspace", "The workspace"], ["public", "Everybody with the link"]] },
    { name: "expires_in_days", label: "Public link ends after (days)", type: "number", min: 1,
      max: 365, value: 30 },
  ];
  const run = async (body) => {
    const question = "Everybody who has the link can see the figures until it ends.";
    if (body.visibility === "public" && !(await ask("Make it public?", question, "Make public"))) return;
    await call("PUT", "/v1/dashboards/{dashboard_id}/sharing",
      { path: { dashboard_id: dashboard.id }, body });
    await redraw();
  };
  return card("Sharing", dashboard.public_url && h("p", {}, copyable(dashboard.public_url),
    " until ", when(dashboard.public_until)),
  form(fields, run, { ...EDIT, kind: "plain", submit: "Save", clear: false }));
}

function digest(dashboard, members, redraw) {
  const now = dashboard.digest;
  const fields = [
    { name: "frequency", label: "Sent", options: ["daily", "weekly"], value: now?.frequency ?? "weekly" },
    { name: "weekday", label: "On", options: WEEKDAYS, value: now?.weekday ?? "mon",
      hint: "For a weekly digest." },
    { name: "at", label: "At", type: "time", value: now?.at ?? "08:00", required: true },
    { name: "recipients", label: "To", choices: members.map((each) => each.email),
      value: now?.recipients ?? [] },
  ];
  return card("Digest by e-mail", muted(now ? `Sent ${now.frequency} at ${now.at} to ` +
    `${now.recipients.length}.` : "Nobody gets one yet."),
  form(fields, async (body) => {
    await call("PUT", "/v1/dashboards/{dashboard_id}/digest",
      { path: { dashboard_id: dashboard.id }, body });
    say("The digest is saved.");
    await redraw();
  }, { ...EDIT, kind: "plain", submit: "Save the digest", clear: false }));
}

function rename(dashboard, redraw) {
  const field = { name: "name", label: "Name", value: dashboard.name, required: true, wide: true };
  return card("Name", form([field], async ({ name }) => {
    await save(dashboard, { name });
    await redraw();
  }, { ...EDIT, kind: "plain", submit: "Rename", clear: false }));
}

export async function view({ id, go, redraw }) {
  const dashboard = await call("GET", "/v1/dashboards/{dashboard_id}", { path: { dashboard_id: id } });
  const members = await all("/v1/members");
  return h("div", {}, h("p", {}, h("a", { href: "/app/dashboards" }, "← Dashboards")),
    h("div", { class: "top" }, h("h1", { tabindex: -1 }, dashboard.name),
      badge(dashboard.visibility), h("span", { class: "grow" }),
      button("Delete", () => remove(dashboard, go), { ...EDIT, kind: "danger" })),
    tiles(dashboard),
    h("details", { class: "more", open: opened, on: { toggle: (event) => {
      opened = event.target.open;
    } } }, h("summary", {}, "Change, share or send this dashboard"),
      h("div", { class: "columns" },
        h("div", {}, edit(dashboard, redraw), rename(dashboard, redraw)),
        h("div", {}, sharing(dashboard, redraw), digest(dashboard, members, redraw)))));
}
