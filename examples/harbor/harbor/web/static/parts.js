// The parts that every view is made of.

import { fill, h } from "./dom.js";
import { reason } from "./session.js";
import { say } from "./notes.js";

export const card = (title, ...children) =>
  h("section", { class: "card" }, title && h("h2", {}, title), children);

export const row = (...children) => h("div", { class: "row" }, children);

export const muted = (...text) => h("p", { class: "muted" }, text);

const TONES = {
  good: ["active", "succeeded", "verified", "normal", "ready", "checked", "done", "accepted", "invited", "on", "ok", "delivered", "resolved"],
  bad: ["failed", "failing", "fired", "expired", "disconnected", "full", "refused"],
  warn: ["draft", "partial", "pending", "paused", "muted", "queued", "running", "cancelled", "nearly full", "waiting", "learning"],
};

export function badge(state) {
  const tone = Object.keys(TONES).find((name) => TONES[name].includes(state)) ?? "plain";
  return h("span", { class: `badge ${tone}` }, String(state).replaceAll("_", " "));
}

export const empty = (title, what, ...children) =>
  h("div", { class: "empty" }, h("strong", {}, title), h("p", {}, what), children);

export const loading = (what = "Loading") =>
  h("div", { class: "loading", role: "status" }, h("span", { class: "spinner" }), `${what} …`);

// Details begin in lower case, or with the place in the request that is wrong.
const sentence = (text) => text && text[0].toUpperCase() + text.slice(1);

// A problem with its code and what to do about it.
export function problemBox(problem, again) {
  const errors = (problem.errors ?? []).map((each) =>
    h("li", {}, `${each.pointer.slice(1) || "body"}: ${each.detail}`));
  return h("div", { class: "problem", role: "alert" },
    h("strong", {}, sentence((errors.length ? problem.title : problem.detail) || problem.message)),
    errors.length > 0 && h("ul", {}, errors),
    problem.mend && h("p", {}, problem.mend),
    problem.code && h("p", { class: "code" }, `${problem.code}: ${problem.title}`),
    again && button("Try again", again, { small: true }));
}

// A button that says why it cannot be used, and shows the failure of what it runs.
export function button(label, run, options = {}) {
  const why = reason(options);
  const classes = ["button", options.kind ?? "plain", options.small && "small"];
  const node = h("button", {
    type: "button", class: classes.filter(Boolean).join(" "), title: why || options.title,
    "aria-disabled": why ? "true" : null, "aria-label": options.label,
  }, label);
  node.addEventListener("click", async () => {
    if (why) return say(why, "warn");
    if (node.getAttribute("aria-busy")) return undefined;
    node.setAttribute("aria-busy", "true");
    try {
      await run(node);
    } catch (problem) {
      say(problemBox(problem), "bad");
    } finally {
      node.removeAttribute("aria-busy");
    }
    return undefined;
  });
  return node;
}

export const link = (label, href, kind) =>
  h("a", { href, class: kind ? `button ${kind}` : null }, label);

// A link that looks like a button, or the button that says why not.
export function linkButton(label, href, go, options = {}) {
  return reason(options) ? button(label, () => go(href), options)
    : link(label, href, options.kind ?? "plain");
}

export function table(heads, rows) {
  const head = h("tr", {}, heads.map((each) => h("th", { scope: "col" }, each)));
  const body = rows.map((cells) => h("tr", {}, cells.map((cell, place) =>
    h("td", { "data-head": heads[place] }, h("div", {}, cell)))));
  return h("div", { class: "scroll" },
    h("table", { class: "stack" }, h("thead", {}, head), h("tbody", {}, body)));
}

export function facts(pairs) {
  const shown = pairs.filter(([, value]) => value !== null && value !== undefined);
  return h("dl", {}, shown.map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));
}

// A place that loads itself: what is awaited, then what is drawn; again after a change.
export function area(load, draw, what) {
  const node = h("div", { class: "area" });
  async function reload(quiet) {
    if (!quiet) fill(node, loading(what));
    try {
      fill(node, draw(await load(), () => reload(true)));
    } catch (problem) {
      fill(node, problemBox(problem, () => reload()));
    }
  }
  node.reload = () => reload(true);
  reload();
  return node;
}

export function copyable(text, label = "Copy") {
  return h("span", { class: "copyable" }, h("code", {}, text), button(label, async () => {
    await navigator.clipboard.writeText(text);
    say("Copied.", "good");
  }, { small: true, label: `${label} ${text}` }));
}

const TIME = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
export const when = (stamp) =>
  stamp ? h("time", { datetime: stamp }, TIME.format(new Date(stamp))) : "–";

export const count = (number) => new Intl.NumberFormat().format(number);
