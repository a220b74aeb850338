// The page: which view the path asks for, the frame around it, and who is signed in.

import { call, signOut, whenOverdue, whenSignedOut } from "./api.js";
import { fill, h } from "./dom.js";
import { frame } from "./frame.js";
import { calm, say } from "./notes.js";
import { loading, problemBox } from "./parts.js";
import { loadConfig, loadMe, session } from "./session.js";
import * as activity from "./views/activity.js";
import * as alerts from "./views/alerts.js";
import * as billing from "./views/billing.js";
import * as connection from "./views/connection.js";
import * as connections from "./views/connections.js";
import * as dashboard from "./views/dashboard.js";
import * as dashboards from "./views/dashboards.js";
import * as enrol from "./views/enrol.js";
import * as keys from "./views/keys.js";
import * as overview from "./views/overview.js";
import * as security from "./views/security.js";
import * as settings from "./views/settings.js";
import * as sign from "./views/sign.js";
import * as team from "./views/team.js";
import * as templates from "./views/templates.js";

const OPEN = [
  ["/app/sign-in", sign.signIn, "Sign in"],
  ["/app/sign-up", sign.signUp, "Sign up"],
  ["/join", sign.join, "Join"],
];
const CLOSED = [
  ["/app", overview.view, "Overview"],
  ["/app/connections", connections.view, "Connections"],
  ["/app/connections/new", connections.add, "Add a connection"],
  ["/app/connections/{id}", connection.view, "Connection"],
  ["/app/dashboards", dashboards.view, "Dashboards"],
  ["/app/dashboards/{id}", dashboard.view, "Dashboard"],
  ["/app/alerts", alerts.view, "Alerts"],
  ["/app/templates", templates.view, "Templates"],
  ["/app/team", team.view, "Team"],
  ["/app/security", security.view, "Security"],
  ["/app/billing", billing.view, "Billing"],
  ["/app/keys", keys.view, "Keys and webhooks"],
  ["/app/activity", activity.view, "Activity"],
  ["/app/settings", settings.view, "Settings"],
];

const ENROL = { view: enrol.view, title: "Set up a second factor", params: {} };

const root = document.getElementById("app");
let leaving = new AbortController();

function matched(table, path) {
  for (const [pattern, view, title] of table) {
    const shape = new RegExp(`^${pattern.replace("{id}", "(?<id>[\\w-]+)")}/?$`);
    const found = shape.exec(path);
    if (found) return { view, title, params: found.groups ?? {} };
  }
  return null;
}

export function go(path, { replace = false } = {}) {
  history[replace ? "replaceState" : "pushState"](null, "", path);
  return show();
}

const lost = () => h("div", {}, h("h1", { tabindex: -1 }, "No such page"),
  h("p", {}, h("a", { href: "/app" }, "Go to the overview")));

async function drawn(found, left) {
  const tools = { ...found.params, go, left, signedIn, leave, redraw: show };
  return found.view(tools);
}

function place(node, title) {
  document.title = `${title} · Harbor`;
  node.querySelector("h1")?.focus({ preventScroll: true });
  scrollTo(0, 0);
}

async function show() {
  leaving.abort();
  leaving = new AbortController();
  const left = leaving.signal;
  const path = location.pathname;
  const open = matched(OPEN, path);
  if (!open && !session.me) return go("/app/sign-in", { replace: true });
  if (open && session.me && path !== "/join") return go("/app", { replace: true });
  const found = open ?? (session.overdue ? ENROL : matched(CLOSED, path));
  const inside = open || session.overdue ? h("main", { class: "alone", id: "main" }) : h("main", { id: "main" });
  fill(root, open || session.overdue ? inside : frame(path, inside, { leave, go }));
  fill(inside, loading());
  try {
    const node = found ? await drawn(found, left) : lost();
    if (left.aborted) return undefined;
    fill(inside, node);
  } catch (problem) {
    if (left.aborted) return undefined;
    fill(inside, h("h1", { tabindex: -1 }, found.title), problemBox(problem, show));
  }
  return place(inside, found?.title ?? "No such page");
}

async function signedIn(path = "/app") {
  await loadMe();
  await go(path, { replace: true });
}

async function leave() {
  await signOut();
  session.me = null;
  await go("/app/sign-in", { replace: true });
}

// A 401 can also be about a key that was looked at: only `me` tells whether the session is over.
let asking = false;
whenSignedOut(async () => {
  if (asking || !session.me) return;
  asking = true;
  try {
    await call("GET", "/v1/me");
  } catch (problem) {
    if (problem.status === 401) {
      await leave();
      say("Your session is over. Sign in again.", "warn");
    }
  } finally {
    asking = false;
  }
});

// The grace can end while the page is open.
whenOverdue(() => {
  if (session.overdue) return;
  session.overdue = true;
  show();
});

document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a[href^='/app']");
  const special = event.button || event.metaKey || event.ctrlKey || event.shiftKey;
  if (!link || special || link.target || link.hasAttribute("download")) return;
  event.preventDefault();
  calm();
  go(link.getAttribute("href"));
});
addEventListener("popstate", () => show());

async function start() {
  try {
    await loadConfig();
    if (session.config.signed_in) await loadMe();
  } catch (problem) {
    fill(root, h("main", { class: "alone" }, problemBox(problem, start)));
    return;
  }
  await show();
}

start();
