// Invites by mail, in bulk and by link, and what became of them.

import { all, call } from "./api.js";
import { ask } from "./dialog.js";
import { fill, h } from "./dom.js";
import { form, input } from "./form.js";
import { area, badge, button, card, copyable, empty, row, table, when } from "./parts.js";
import { say } from "./notes.js";
import { may, session } from "./session.js";

const STATES = ["pending", "accepted", "expired", "revoked"];
const MOST = 50;

// Editors invite viewers where the workspace lets them.
const viewersOnly = () => !may("members.invite") && session.me.role === "editor" &&
  session.workspace.editors_can_invite;

function invite() {
  if (viewersOnly() || may("members.invite")) return {};
  return { needs: "members.invite" };
}

function roles(...wider) {
  if (viewersOnly()) return ["viewer"];
  return ["viewer", "editor", "admin", ...(session.me.role === "owner" ? wider : [])];
}

function one(dashboards, reload) {
  const fields = [
    { name: "email", label: "E-mail", type: "email", required: true, placeholder: "ana@example.com" },
    { name: "role", label: "Role", options: roles("billing") },
    { name: "sample_project", label: "Share the sample project", type: "checkbox" },
    ...(dashboards.length ? [{ name: "dashboard_ids", label: "Show first (at most 5)",
      choices: dashboards.map((each) => each.name) }] : []),
  ];
  return form(fields, async (values, key) => {
    const chosen = dashboards.filter((each) => values.dashboard_ids?.includes(each.name));
    const body = { ...values, dashboard_ids: chosen.map((each) => each.id) };
    await call("POST", "/v1/invites", { body, key });
    say(`${values.email} is invited; the mail is valid for 7 days.`);
    await reload();
  }, { ...invite(), submit: "Invite" });
}

function bulk(reload) {
  const said = h("div", { "aria-live": "polite" });
  const fields = [
    { name: "emails", label: "Addresses", type: "textarea", required: true, wide: true,
      hint: `One a line or separated by commas, at most ${MOST}.` },
    { name: "role", label: "Role", options: roles() },
    { name: "sample_project", label: "Share the sample project", type: "checkbox" },
  ];
  const node = form(fields, async (values, key) => {
    const emails = values.emails.split(/[\s,;]+/).filter(Boolean);
    const { results } = await call("POST", "/v1/invites/bulk", { body: { ...values, emails }, key });
    fill(said, table(["Address", "", ""], results.map((each) =>
      [each.email, badge(each.status), each.code ?? ""])));
    await reload();
  }, { ...invite(), feature: "bulk_invite", submit: "Invite all" });
  return h("div", {}, node, said);
}

async function revoke(each, again) {
  const path = { invite_id: each.id };
  await call("GET", "/v1/invites/{invite_id}", { path });
  if (!(await ask(`Revoke the invite of ${each.email}?`, "Its link ends at once.", "Revoke"))) return;
  await call("DELETE", "/v1/invites/{invite_id}", { path });
  say("The invite is revoked.");
  await again();
}

async function resend(each, again) {
  await call("POST", "/v1/invites/{invite_id}/resend", { path: { invite_id: each.id } });
  say(`The mail to ${each.email} was sent again.`);
  await again();
}

function actions(each, again) {
  if (each.state !== "pending") return "";
  const because = each.resent >= 3 ? "Sent again three times; revoke it and invite anew." : "";
  return row(
    button("Resend", () => resend(each, again),
      { ...invite(), because, small: true, label: `Resend to ${each.email}` }),
    button("Revoke", () => revoke(each, again),
      { ...invite(), small: true, kind: "danger", label: `Revoke ${each.email}` }));
}

function listed(items, again, state) {
  if (items.length === 0) return empty(`No ${state} invite`, "Invite somebody above.");
  return table(["Address", "Role", "State", "Expires", ""], items.map((each) => [each.email,
    each.role, badge(each.state), when(each.expires_at), actions(each, again)]));
}

function pending() {
  const chooser = input({ name: "state", label: "Show", options: STATES });
  const select = chooser.querySelector("select");
  const place = area(() => all("/v1/invites", { query: { state: select.value } }),
    (items, again) => listed(items, again, select.value), "Loading the invites");
  select.addEventListener("change", place.reload);
  const node = card("Invites", row(chooser), place);
  node.reload = place.reload;
  return node;
}

async function endLink(each, again) {
  if (!(await ask("End this link?", "Nobody can join with it any more.", "End it"))) return;
  await call("DELETE", "/v1/invite-links/{link_id}", { path: { link_id: each.id } });
  await again();
}

function links() {
  const place = area(() => all("/v1/invite-links"), (items, again) => (items.length === 0
    ? empty("No link", "Make one to share it in a chat.")
    : table(["Link", "Role", "Used", "Expires", ""], items.map((each) => [copyable(each.url),
      each.role, `${each.uses} of ${each.max_uses}`, when(each.expires_at),
      button("End", () => endLink(each, again),
        { ...invite(), small: true, kind: "danger", label: "End this link" })]))), "Loading");
  const fields = [
    { name: "role", label: "Role", options: roles().filter((role) => role !== "admin") },
    { name: "expires_in", label: "Valid for", value: "72h",
      options: [["24h", "24 hours"], ["72h", "72 hours"], ["7d", "7 days"]] },
    { name: "max_uses", label: "Uses", type: "number", min: 1, max: 100, value: 25 },
  ];
  return card("Invite links", form(fields, async (body, key) => {
    await call("POST", "/v1/invite-links", { body, key });
    await place.reload();
  }, { ...invite(), submit: "Make a link" }), place);
}

export function invites() {
  const list = pending();
  const single = h("div", {});
  const load = async () => (may("dashboards.view") ? all("/v1/dashboards") : []);
  single.append(area(load, (dashboards) => one(dashboards, list.reload), "Loading"));
  return h("div", {}, h("div", { class: "halves" }, card("Invite one person", single),
    card("Invite many", bulk(list.reload))), list, links());
}
