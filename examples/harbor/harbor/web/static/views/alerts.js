// Alerts on metrics: their state now, made, changed, muted, tried out, deleted.

import { createAnomaly, isAnomaly, unusual } from "../anomaly.js";
import { all, call } from "../api.js";
import { agree, ask, show } from "../dialog.js";
import { h } from "../dom.js";
import { form, input } from "../form.js";
import { money } from "../figures.js";
import { area, badge, button, card, count, empty, row, table, when } from "../parts.js";
import { say } from "../notes.js";
import { planName, session } from "../session.js";

const MANAGE = { needs: "alerts.manage" };
const SMALL = { ...MANAGE, small: true };
const HOURS = [["1", "1 hour"], ["24", "1 day"], ["168", "7 days"], ["719", "30 days"]];
const CONDITIONS = [["above", "is above"], ["below", "is below"],
  ["change_percent", "changes by (%)"]];

// MRR is kept in cents; people say it in whole units of the currency.
const scale = (alert) =>
  (alert.metric_id === "met_mrr" && alert.condition !== "change_percent" ? 100 : 1);

const figure = (alert, value) => (alert.metric_id === "met_mrr" ? money(value) : count(value));

function condition(alert) {
  if (isAnomaly(alert)) return unusual(alert);
  if (alert.condition === "change_percent") return `changes by ${alert.threshold} %`;
  return `${alert.condition} ${figure(alert, alert.threshold)}`;
}

async function mute(alert, again) {
  const field = input({ name: "hours", label: "For how long", options: HOURS, value: "24" });
  const text = "It still looks at the metric, but sends nothing.";
  if (!(await agree(`Mute ${alert.name}?`, text, "Mute", field))) return;
  const hours = Number(field.querySelector("select").value);
  const until = new Date(Date.now() + hours * 3_600_000).toISOString();
  await call("POST", "/v1/alerts/{alert_id}/mute", { path: { alert_id: alert.id }, body: { until } });
  await again();
}

async function unmute(alert, again) {
  await call("POST", "/v1/alerts/{alert_id}/unmute", { path: { alert_id: alert.id } });
  await again();
}

async function tryOut(alert) {
  const { sent } = await call("POST", "/v1/alerts/{alert_id}/test", { path: { alert_id: alert.id } });
  say(`A test message was sent; it is number ${sent} of this alert.`);
}

// Read before it is changed: the version goes along, so that nobody's change is overwritten.
const read = (alert) => call("GET", "/v1/alerts/{alert_id}", { path: { alert_id: alert.id } });

async function change(alert, again) {
  const field = input({ name: "threshold", label: "Threshold", type: "number",
    value: alert.threshold / scale(alert) });
  await read(alert);
  if (!(await agree(`Change ${alert.name}?`, "It holds from the next check on.", "Change", field))) return;
  const threshold = Math.round(Number(field.querySelector("input").value) * scale(alert));
  await call("PATCH", "/v1/alerts/{alert_id}", { path: { alert_id: alert.id }, body: { threshold } });
  await again();
}

// What the figure was held against: the threshold, or the usual range of an anomaly alert.
function limit(alert, { threshold, low, high }) {
  if (isAnomaly(alert)) return [low, high].map((each) => figure(alert, Math.round(each))).join(" – ");
  return alert.condition === "change_percent" ? `${threshold} %` : figure(alert, threshold);
}

async function history(alert) {
  const path = { alert_id: alert.id };
  const changes = await all("/v1/alerts/{alert_id}/history", { path }, 200);
  const rows = changes.map((each) => [when(each.at), badge(each.state), figure(alert, each.value),
    limit(alert, each), each.told ? "yes" : "no"]);
  await show(`History of ${alert.name}`, rows.length === 0
    ? empty("Nothing yet", "It has neither fired nor been resolved.")
    : table(["At", "State", "Figure", isAnomaly(alert) ? "Usual" : "Threshold", "Told"], rows));
}

async function remove(alert, again) {
  await read(alert);
  if (!(await ask(`Delete ${alert.name}?`, "Nobody is told any more.", "Delete"))) return;
  await call("DELETE", "/v1/alerts/{alert_id}", { path: { alert_id: alert.id } });
  say(`${alert.name} is deleted.`);
  await again();
}

function actions(alert, again) {
  const label = (verb) => `${verb} ${alert.name}`;
  return row(
    alert.state === "muted"
      ? button("Unmute", () => unmute(alert, again), { ...SMALL, label: label("Unmute") })
      : button("Mute", () => mute(alert, again), { ...SMALL, label: label("Mute") }),
    button("History", () => history(alert), { small: true, label: label("History of") }),
    button("Test", () => tryOut(alert), { ...SMALL, label: label("Test") }),
    !isAnomaly(alert) && button("Change", () => change(alert, again), { ...SMALL, label: label("Change") }),
    button("Delete", () => remove(alert, again), { ...SMALL, kind: "danger", label: label("Delete") }));
}

function list(alerts, again) {
  if (alerts.length === 0) {
    return empty("No alert yet", "Make one below: you hear when a metric leaves its range.");
  }
  return table(["Name", "State", "Condition", "Now", "Checked", "Muted until", ""], alerts.map((each) => [
    [h("strong", {}, each.name), each.severity === "critical" && [" ", badge("critical")]],
    badge(each.state), condition(each), figure(each, each.value), when(each.checked_at),
    each.state === "muted" ? when(each.muted_until) : "–", actions(each, again)]));
}

function create(metrics, reload) {
  const fields = [
    { name: "metric_id", label: "Metric", options: metrics.map((each) => [each.id, each.name]) },
    { name: "condition", label: "Tell when it", options: CONDITIONS },
    { name: "threshold", label: "Threshold", type: "number", required: true,
      hint: `MRR in ${session.workspace.currency}; a change in percent.` },
    { name: "severity", label: "Severity", options: ["normal", "critical"] },
    { name: "name", label: "Name", hint: "Made from the rest when it is left out." },
  ];
  return card("Make an alert", form(fields, async (values, key) => {
    const body = { ...values, threshold: Math.round(values.threshold * scale(values)) };
    body.name ??= `${metrics.find((m) => m.id === body.metric_id).name} ${condition(body)}`;
    await call("POST", "/v1/alerts", { body, key });
    say("The alert is made.");
    await reload();
  }, { ...MANAGE, submit: "Create" }));
}

function rhythm() {
  const minutes = session.plan.alert_check_min;
  const every = { 15: "every 15 minutes", 60: "every hour", 1440: "once a day" }[minutes];
  return `Figures are of now. Checks run ${every}: they tell people, and resolve what has fired.`;
}

export async function view() {
  const { items: metrics } = await call("GET", "/v1/metrics");
  const place = area(() => all("/v1/alerts"), (alerts, again) => [
    h("div", { class: "row" }, h("span", { class: "muted grow" },
      `${alerts.length} of ${session.plan.alerts} in the ${planName()} plan. ` +
      rhythm()), button("Read again", again, { small: true })),
    list(alerts, again)], "Reading");
  return h("div", {}, h("h1", { tabindex: -1 }, "Alerts"), card(null, place),
    create(metrics, place.reload), createAnomaly(place.reload));
}
