// What to do first, computed from what is there; then the figures.

import { all, call } from "../api.js";
import { money } from "../figures.js";
import { h } from "../dom.js";
import { card, count, empty, linkButton, muted, badge, when, table } from "../parts.js";
import { may, session } from "../session.js";

const none = async () => null;

async function state() {
  const see = may("dashboards.view");
  const [connections, imports, members, invites, dashboards, security, metrics] =
    await Promise.all([
      all("/v1/connections"), all("/v1/imports", {}, 200), all("/v1/members"), all("/v1/invites"),
      see ? all("/v1/dashboards") : none(),
      may("security.manage") ? call("GET", "/v1/security") : none(),
      see ? call("GET", "/v1/metrics") : none(),
    ]);
  return { connections, imports, members, invites, dashboards, security, metrics };
}

const imported = (imports) => imports.find((run) => ["succeeded", "partial"].includes(run.state));

function steps(now) {
  const { connections, imports, members, invites, dashboards, security } = now;
  const all_ = [
    { done: connections.length > 0 || imports.some((run) => run.upload_id), title: "Connect data",
      text: "A database, Stripe, HubSpot or a CSV file.", href: "/app/connections/new",
      label: "Connect", needs: "connections.manage" },
    { done: Boolean(imported(imports)), title: "Import",
      text: "A sample of 1,000 rows is enough to begin with.", label: "Import",
      needs: "imports.run",
      href: connections[0] ? `/app/connections/${connections[0].id}` : "/app/connections" },
    dashboards && { done: dashboards.length > 0, title: "Make the Day-1 dashboard",
      text: "Made from what you imported, each tile with its reason.", href: "/app/dashboards",
      label: "Preview", needs: "dashboards.edit" },
    { done: members.length + invites.length > 1, title: "Invite your team",
      text: "Viewers need no paid seat.", href: "/app/team", label: "Invite",
      needs: "members.invite" },
    { done: session.me.mfa, title: "Turn on your second factor",
      text: "An authenticator app and ten recovery codes.", href: "/app/security", label: "Turn on" },
    security && { done: security.done.sso, title: "Set up single sign-on",
      text: "SAML or OIDC, after a domain is verified.", href: "/app/security", label: "Set up",
      because: session.plan.identity_providers ? "" : "It comes with Growth." },
  ];
  return all_.filter(Boolean);
}

function step(each, go) {
  return h("li", { class: each.done ? "step done" : "step" },
    h("span", { class: "tick", "aria-hidden": "true" }, each.done ? "✓" : ""),
    h("div", { class: "grow" }, h("strong", {}, each.title),
      h("span", { class: "hidden" }, each.done ? " (done)" : " (open)"), muted(each.text)),
    !each.done && linkButton(each.label, each.href, go,
      { needs: each.needs, because: each.because }));
}

function checklist(now, go) {
  const list = steps(now);
  const done = list.filter((each) => each.done).length;
  return card("Get started",
    h("div", { class: "row" }, h("progress", { max: list.length, "aria-label": "Done" }),
      h("span", { class: "muted" }, `${done} of ${list.length} done`)),
    h("ol", { class: "steps" }, list.map((each) => step(each, go))));
}

function figures(metrics) {
  if (!metrics || metrics.items.every((each) => each.value === 0)) {
    return card("Key figures", empty("No figures yet", "They appear with the first import."));
  }
  return h("section", { class: "grid figures" }, metrics.items.map((each) =>
    h("div", { class: "card" }, h("p", { class: "muted" }, each.name),
      h("p", { class: "big" }, each.id === "met_mrr" ? money(each.value) : count(each.value)))));
}

function lately(imports) {
  if (imports.length === 0) return null;
  return card("Latest imports", table(["State", "Kind", "Rows", "Started"],
    imports.slice(0, 5).map((run) => [badge(run.state), run.mode, count(run.rows),
      when(run.created_at)])));
}

export async function view({ go }) {
  const now = await state();
  const list = checklist(now, go);
  list.querySelector("progress").value = steps(now).filter((each) => each.done).length;
  return h("div", {}, h("h1", { tabindex: -1 }, `Hello, ${session.me.name.split(" ")[0]}`),
    now.metrics && figures(now.metrics), list, lately(now.imports));
}
