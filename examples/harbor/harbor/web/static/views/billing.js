// The plan, what is used of it, and changing it after seeing what that costs.

import { call } from "../api.js";
import { agree } from "../dialog.js";
import { h } from "../dom.js";
import { input } from "../form.js";
import { area, badge, button, card, count, empty, facts, muted, row, table } from "../parts.js";
import { say } from "../notes.js";
import { loadMe, session } from "../session.js";

const MANAGE = { needs: "billing.manage" };
const dollars = (amount) => `$${count(amount)}`;

function meter(label, used, limit) {
  const text = limit === null ? `${count(used)}, unlimited` : `${count(used)} of ${count(limit)}`;
  const bar = h("progress", { max: limit || 1, "aria-label": label });
  bar.value = limit === null ? 0 : Math.min(used, limit);
  const near = limit && used / limit >= 0.8;
  return h("div", { class: "meter" }, h("div", { class: "row" }, h("span", { class: "grow" }, label),
    h("strong", {}, text),
    near && badge(used >= limit ? "full" : "nearly full")), limit !== null && bar);
}

function usage(billing) {
  return card("Usage", meter(`Events in ${billing.month}`, billing.events_used, billing.event_limit),
    meter("Paid seats", billing.paid_seats, billing.seat_limit),
    muted("Samples, dropped duplicates and rejected rows do not count as events. Pending invites " +
      "with a paid role hold a seat."));
}

function now(billing) {
  return card("Plan", facts([["Plan", h("span", {}, billing.plan, " ",
    billing.trial && badge("trial"))], ["Billed", billing.interval],
  ["Seat and month", billing.plan === "enterprise" ? "by contract" : dollars(billing.seat_price)],
  ["Changes to", session.workspace.next_plan && `${session.workspace.next_plan} at the period's end`]]));
}

const price = (plan, interval) => {
  if (plan.name === "enterprise") return "by contract";
  return `${dollars(plan.price[interval === "yearly" ? 1 : 0])} per seat and month`;
};

async function change(plan, interval, redraw) {
  const given = { plan: plan.name, interval };
  const found = await call("PUT", "/v1/billing/plan", { body: { ...given, dry_run: true } });
  const said = facts([["New plan", `${plan.name}, billed ${interval}`],
    ["Due now", dollars(found.due_now)],
    ["Holds", found.effective === "now" ? "at once" : "from the end of the paid period"]]);
  if (!(await agree(`Change to ${plan.name}?`, "This is what it means:", "Change the plan", said))) return;
  await call("PUT", "/v1/billing/plan", { body: { ...given, dry_run: false } });
  await loadMe();
  say(found.effective === "now" ? `You are on ${plan.name} now.`
    : `${plan.name} holds from the end of the paid period.`);
  await redraw();
}

function plans(billing, redraw) {
  const chooser = input({ name: "interval", label: "Billed", options: ["monthly", "yearly"],
    value: billing.interval });
  const select = chooser.querySelector("select");
  const prices = session.config.plans.map((plan) => h("span", {}, price(plan, select.value)));
  select.addEventListener("change", () => session.config.plans.forEach((plan, place) => {
    prices[place].textContent = price(plan, select.value);
  }));
  const limit = (value) => (value === null ? "unlimited" : count(value));
  const rows = session.config.plans.map((plan, place) => [h("strong", {}, plan.name), prices[place],
    limit(plan.events), limit(plan.connections), limit(plan.dashboards), limit(plan.seats ?? plan.members),
    plan.name === billing.plan ? badge("current") : button("Change", () =>
      change(plan, select.value, redraw), { ...MANAGE, small: true, label: `Change to ${plan.name}` })]);
  return card("Plans", row(chooser),
    table(["Plan", "Price", "Events a month", "Connections", "Dashboards", "Seats", ""], rows));
}

function invoices(billing) {
  if (billing.invoices.length === 0) {
    return card("Invoices", empty("No invoice yet", "The first comes with the first paid month."));
  }
  return card("Invoices", table(["Invoice", "Amount"], billing.invoices.map((each) =>
    [each.id ?? each.number, dollars(each.amount ?? 0)])));
}

export async function view({ redraw }) {
  const place = area(() => call("GET", "/v1/billing"), (billing) => [
    h("div", { class: "columns" }, usage(billing), now(billing)), plans(billing, redraw),
    invoices(billing)], "Loading the plan");
  return h("div", {}, h("h1", { tabindex: -1 }, "Billing"), place);
}
