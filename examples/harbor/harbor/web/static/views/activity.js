// The audit log: who did what, page by page.

import { call } from "../api.js";
import { h } from "../dom.js";
import { input } from "../form.js";
import { area, badge, button, card, empty, muted, row, table, when } from "../parts.js";
import { planName, session } from "../session.js";

const ACTIONS = ["member.invited", "member.joined", "member.role_changed", "member.removed",
  "mfa.enabled", "mfa.reset", "mfa.requirement_changed", "sso.updated", "sso.login_failed",
  "scim.token_created", "connection.created", "connection.credentials_replaced",
  "import.rolled_back", "dashboard.shared_publicly", "data.exported", "data.deleted",
  "api_key.created", "api_key.revoked", "billing.plan_changed"];

async function names() {
  const { items } = await call("GET", "/v1/members", { query: { limit: 200 } });
  return new Map(items.map((each) => [each.id, each.name]));
}

const lines = (items, people) => items.map((each) => [when(each.at),
  people.get(each.actor) ?? each.actor, h("code", {}, each.action),
  people.get(each.target) ?? h("code", {}, each.target), each.ip, badge(each.result)]);

export async function view() {
  const people = await names();
  const chooser = input({ name: "action", label: "Action",
    options: [["", "All actions"], ...ACTIONS] });
  const select = chooser.querySelector("select");
  const more = h("div", {});
  const page = (cursor) => call("GET", "/v1/audit-events",
    { query: { limit: 50, cursor, action: select.value || undefined } });

  function drawn(found) {
    if (found.items.length === 0) return empty("Nothing here", "No such action was recorded yet.");
    const node = table(["When", "Who", "Action", "On", "From", "Result"], lines(found.items, people));
    return [node, found.next_cursor && row(button("Older", async () => {
      more.append(...[drawn(await page(found.next_cursor))].flat(2).filter(Boolean));
    }))];
  }
  const place = area(() => page(), (found) => {
    more.replaceChildren();
    return drawn(found);
  }, "Loading the log");
  select.addEventListener("change", place.reload);
  return h("div", {}, h("h1", { tabindex: -1 }, "Activity"),
    muted(`Entries cannot be changed or deleted. The ${planName()} plan keeps them for ` +
      `${session.plan.audit_days} days.`), card(null, row(chooser), place, more));
}
