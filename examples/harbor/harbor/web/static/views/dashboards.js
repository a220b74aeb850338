// All dashboards, the Day-1 dashboard before it is made, one by hand, and what was deleted here.

import { all, call } from "../api.js";
import { bin, forget } from "../bin.js";
import { fill, h } from "../dom.js";
import { form } from "../form.js";
import { area, badge, button, card, count, empty, linkButton, loading, muted, row, table, when }
  from "../parts.js";
import { say } from "../notes.js";
import { planName, session } from "../session.js";
import { TILES, funnelOf, tileOf } from "../tileform.js";

const EDIT = { needs: "dashboards.edit" };

const tileList = (tiles) => h("ul", { class: "preview" }, tiles.map((each) =>
  h("li", {}, badge(each.kind), h("div", {}, h("strong", {}, each.title),
    each.why && h("p", { class: "muted" }, each.why)))));

// What it would have, asked with a dry run, which makes nothing.
function dayOne(dashboards, go) {
  const old = dashboards.find((each) => each.day_one);
  const place = h("div", { "aria-live": "polite" });
  const make = async () => {
    const made = await call("POST", "/v1/dashboards/day-one", { body: { dry_run: false } });
    say(old ? "Tiles that nobody had touched are made anew." : "The Day-1 dashboard is made.");
    await go(`/app/dashboards/${made.id}`);
  };
  const preview = async () => {
    fill(place, loading("Looking at your data"));
    try {
      const found = await call("POST", "/v1/dashboards/day-one", { body: { dry_run: true } });
      fill(place, tileList(found.tiles));
      look.replaceWith(button(old ? "Make untouched tiles anew" : "Create the dashboard", make,
        { ...EDIT, kind: "primary" }));
    } catch (problem) {
      fill(place);
      if (problem.code !== "conflict") throw problem;
      fill(place, empty("Nothing imported yet", problem.detail,
        linkButton("Go to connections", "/app/connections", go)));
    }
  };
  const look = button("Preview", preview, { ...EDIT, kind: old ? "plain" : "primary" });
  return card("Day-1 dashboard", muted("Made from what you imported: active users, new users, " +
    "top events, a funnel, retention and MRR, as far as the data allow. Each tile has its reason."),
  place, row(look, old && linkButton("Open it", `/app/dashboards/${old.id}`, go)));
}

function list(dashboards) {
  if (dashboards.length === 0) {
    return empty("No dashboard yet", "Preview the Day-1 dashboard below, or make one by hand.");
  }
  return table(["Name", "Tiles", "Seen by", "Changed"], dashboards.map((each) => [
    h("a", { href: `/app/dashboards/${each.id}` }, each.name), count(each.tiles.length),
    each.visibility, when(each.updated_at)]));
}

function byHand(go) {
  const fields = [
    { name: "name", label: "Name", required: true, wide: true },
    { name: "tiles", label: "Tiles", choices: TILES, value: ["Weekly active users", "Top events"] },
    { name: "steps", label: "Funnel", wide: true, placeholder: "signed_up, created_project, paid",
      hint: "Optional: 2 to 10 names of events, separated by commas." },
  ];
  return card("Make one by hand", form(fields, async ({ name, tiles, steps }, key) => {
    const body = { name, tiles: [...tiles.map(tileOf), ...(steps ? [funnelOf(steps)] : [])] };
    const made = await call("POST", "/v1/dashboards", { body, key });
    await go(`/app/dashboards/${made.id}`);
  }, { ...EDIT, submit: "Create" }));
}

async function restore(id, go) {
  await call("POST", "/v1/dashboards/{dashboard_id}/restore", { path: { dashboard_id: id } });
  forget(id);
  await go(`/app/dashboards/${id}`);
}

function deleted(go) {
  const list_ = bin();
  if (list_.length === 0) return null;
  return card("Deleted in this browser", muted("The bin keeps a dashboard for 30 days."),
    table(["Name", "Deleted", ""], list_.map((each) => [each.name, when(each.at),
      button("Restore", () => restore(each.id, go), { ...EDIT, small: true })])));
}

export async function view({ go }) {
  const most = session.plan.dashboards;
  const place = area(() => all("/v1/dashboards"), (dashboards) => [
    most && muted(`${dashboards.length} of ${most} in the ${planName()} plan.`),
    card(null, list(dashboards)), dayOne(dashboards, go)], "Loading the dashboards");
  return h("div", {}, h("h1", { tabindex: -1 }, "Dashboards"), place, byHand(go), deleted(go));
}
