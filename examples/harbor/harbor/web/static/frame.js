// The frame around every view: brand, navigation, who is signed in, the copilot's link.

import { call } from "./api.js";
import { h } from "./dom.js";
import { button, when } from "./parts.js";
import { reason, session } from "./session.js";

const AREAS = [
  ["Product", [
    ["/app", "Overview"],
    ["/app/connections", "Connections"],
    ["/app/dashboards", "Dashboards", "dashboards.view"],
    ["/app/alerts", "Alerts", "alerts.subscribe"],
    ["/app/templates", "Templates", "dashboards.view"],
  ]],
  ["Workspace", [
    ["/app/team", "Team"],
    ["/app/security", "Security"],
    ["/app/billing", "Billing", "billing.view"],
    ["/app/keys", "Keys and webhooks", "api_keys.manage"],
    ["/app/activity", "Activity", "audit.view"],
    ["/app/settings", "Settings"],
  ]],
];

const isHere = (href, path) => (href === "/app" ? path === href : path.startsWith(href));

function entry([href, label, needs], path) {
  const why = reason({ needs });
  if (why) return h("li", {}, h("span", { class: "locked", title: why }, label, " ",
    h("span", { class: "hidden" }, `(${why})`)));
  return h("li", {}, h("a", { href, "aria-current": isHere(href, path) ? "page" : null }, label));
}

function navigation(path) {
  return h("nav", { "aria-label": "Main", id: "nav" }, AREAS.map(([title, entries]) =>
    [h("h2", {}, title), h("ul", {}, entries.map((each) => entry(each, path)))]));
}

// A token of one's own rights goes along in the fragment, which no server sees.
async function openCopilot() {
  const url = new URL(session.config.copilot_url, location.href);
  if (!["http:", "https:"].includes(url.protocol)) throw new Error("the copilot's address is wrong");
  const { token } = await call("POST", "/v1/me/token");
  url.hash = `token=${token}`;
  const link = h("a", { href: url.href, target: "_blank", rel: "noopener" });
  document.body.append(link);
  link.click();
  link.remove();
}

function head(leave) {
  const menu = h("button", { type: "button", class: "menu", "aria-expanded": "false",
    "aria-controls": "nav", "aria-label": "Menu" }, "☰");
  menu.addEventListener("click", () => {
    const open = document.body.classList.toggle("nav-open");
    menu.setAttribute("aria-expanded", String(open));
  });
  document.body.classList.remove("nav-open");
  const { me } = session;
  return h("header", {}, menu, h("a", { class: "brand", href: "/app" }, mark(), "Harbor"),
    h("span", { class: "where" }, me.account.name, h("span", { class: "plan" }, me.plan)),
    h("span", { class: "grow" }),
    session.config.copilot_url &&
      button("Ask the copilot", openCopilot, { kind: "primary", small: true }),
    h("span", { class: "who", title: me.email }, me.name, h("small", {}, me.role)),
    button("Sign out", leave, { small: true }));
}

export const mark = () => h("img", { src: "/app/static/icon.svg", alt: "", width: 24, height: 24 });

// Shown while the days of grace run.
const reminder = (due) => due && h("p", { class: "banner" },
  "This workspace requires two-factor sign-in from ", when(due), ". ",
  h("a", { href: "/app/security" }, "Set yours up"));

export function frame(path, main, { leave }) {
  const skip = h("a", { class: "skip", href: "#main" }, "Skip to the content");
  const version = h("p", { class: "version" }, `Harbor ${session.workspace.version}`);
  const side = h("div", { class: "side" }, navigation(path), version);
  return [skip, head(leave), reminder(session.me.mfa_due), h("div", { class: "body" }, side, main)];
}
