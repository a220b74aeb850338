// The card of one action: what would be done, the word on it, how far it is, and its receipt.

import { editor } from "./edit.js";
import { element } from "./markdown.js";

const RISK = { read: "reads only", write: "changes something", sensitive: "security", destructive: "cannot be undone easily" };
const STATUS = {
  pending: "Waits for your approval",
  approved: "Approved",
  started: "Under way",
  succeeded: "Done",
  failed: "Did not work",
  unknown: "Not known whether it happened",
  compensating: "Being taken back",
  compensated: "Taken back",
  stuck: "Could not be taken back",
  denied: "Denied",
  cancelled: "Dismissed",
  edited: "Changed: see the new card",
  merged: "The same as an earlier card",
  expired: "Expired",
  void: "Void: something changed meanwhile",
};
const GOOD = new Set(["succeeded", "compensated"]);
const BAD = new Set(["failed", "unknown", "stuck", "void", "expired"]);

/**
 * @param {object} message  a message with `card`, `progress`, `result`
 * @param {object} acts  `open`: whether this card can be decided here; `args`, `schema` for editing;
 *   `decide(word)`, `undo()`, `say(text)`
 */
export function card(message, acts) {
  const { card: content, result, progress } = message;
  const status = content?.status ?? result?.status ?? "pending";
  const waitsForOther = status === "pending" && content?.approver === "other";
  const title = content?.title ?? message.result?.title ?? "Action";
  const node = element("article", {
    class: `card ${tone(status)}`,
    "data-id": message.id,
    "aria-label": `${title}: ${waitsForOther ? "waits for somebody else" : STATUS[status] ?? status}`,
  });
  node.append(head(title, content, waitsForOther ? "Waits for somebody else" : STATUS[status] ?? status));
  if (content) node.append(...body(content, status));
  if (progress && !result) node.append(under(progress));
  if (status === "pending" && acts.open) node.append(...deciding(content, acts));
  if (result && status !== "pending") node.append(...outcome(result, acts));
  return node;
}

function tone(status) {
  if (status === "pending") return "asks";
  if (GOOD.has(status)) return "good";
  return BAD.has(status) ? "bad" : "";
}

function head(title, content, status) {
  const badge = content ? [element("span", { class: `risk ${content.risk}` }, RISK[content.risk] ?? content.risk)] : [];
  return element("header", {}, element("h3", {}, title), ...badge, element("p", { class: "state" }, status));
}

function body(content, status) {
  const parts = [];
  if (content.who) parts.push(element("p", { class: "who", dir: "auto" }, content.who));
  if (content.fields.length) parts.push(element("dl", {}, ...content.fields.flatMap(line)));
  if (content.count > 1) parts.push(element("p", { class: "count" }, `${content.count} at once`));
  if (content.steps.length) parts.push(element("ol", { class: "steps", "aria-label": "Steps" }, ...content.steps.map((step) => element("li", { dir: "auto" }, step))));
  if (status === "pending") {
    for (const note of content.notes) parts.push(element("p", { class: "note", dir: "auto" }, note));
    const undo = content.undo ? `Can be undone: ${content.undo}` : "This cannot be undone.";
    parts.push(element("p", { class: content.undo ? "undo" : "undo never" }, undo));
  }
  return parts;
}

/** One argument: what stands now, struck out, and what it becomes. */
function line(field) {
  const value = element("dd", { dir: "auto" });
  if (field.before !== null && field.before !== field.value) {
    value.append(element("del", {}, unseen("now "), field.before), " ");
    value.append(element("ins", {}, unseen("becomes "), field.value));
  } else value.append(field.value);
  if (field.origin) value.append(element("small", {}, `taken from ${field.origin}`));
  return [element("dt", {}, field.label), value];
}

function unseen(text) {
  return element("span", { class: "unseen" }, text);
}

function under(progress) {
  const node = element("div", { class: "progress", role: "status" });
  const text = progress.nextTry
    ? `Tries again at ${new Date(progress.nextTry).toLocaleTimeString()}`
    : progress.step.replaceAll("_", " ") || "Working";
  if (progress.of > 0) {
    node.append(element("progress", { max: progress.of, value: progress.done, "aria-label": text }));
  } else if (!progress.nextTry) node.append(element("progress", { "aria-label": text }));
  const count = progress.of > 0 ? ` (${progress.done} of ${progress.of})` : "";
  node.append(element("span", {}, text + count));
  return node;
}

// --- the word on it ---------------------------------------------------------------------------

function deciding(content, acts) {
  const always = element("input", { type: "checkbox" });
  const word = (verdict, more = {}) => acts.decide({ verdict, ...more });
  const approve = button("Approve", () => word("approve", always.checked ? { always: true } : {}), "primary");
  const buttons = element("div", { class: "buttons" }, approve, button("Deny", () => word("deny")));
  const parts = [buttons];
  const form = editor(content, acts.args, acts.schema, (changes) => word("approve", { edited: changes }));
  if (form) {
    const change = button("Change", () => {
      form.hidden = !form.hidden;
      change.setAttribute("aria-expanded", String(!form.hidden));
      if (form.hidden) return;
      form.querySelector("input, select, textarea")?.focus();
      form.scrollIntoView({ block: "nearest" });
    });
    change.setAttribute("aria-expanded", "false");
    buttons.append(change);
    parts.push(form);
  }
  buttons.append(button("Not now", () => word("drop"), "plain"));
  if (content.always) {
    parts.push(element("label", { class: "always" }, always, " Always allow this without asking"));
  }
  parts.push(countdown(content.expiresAt, buttons));
  return parts;
}

/** Seconds are shown, not read out; the end of the time is. */
function countdown(expiresAt, buttons) {
  const end = Date.parse(expiresAt);
  const time = element("time", { datetime: expiresAt, "aria-hidden": "true" });
  const node = element("p", { class: "expires" }, time);
  const tick = () => {
    const left = Math.max(0, Math.round((end - Date.now()) / 1000));
    const clock = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
    time.textContent = left ? `Expires in ${clock}; without a word it is denied.` : "Expired.";
    if (!left) {
      node.setAttribute("role", "status");
      time.removeAttribute("aria-hidden");
      buttons.querySelectorAll("button").forEach((one) => one.toggleAttribute("disabled", true));
    } else if (node.isConnected || !node.dataset.shown) setTimeout(tick, 1000);
    node.dataset.shown = "yes";
  };
  tick();
  return node;
}

// --- what came of it --------------------------------------------------------------------------

function outcome(result, acts) {
  const parts = [];
  if (result.detail) parts.push(element("p", { class: "detail", dir: "auto" }, result.detail));
  const values = Object.entries(result.result ?? {}).filter(([, value]) => value !== null);
  if (values.length) {
    const lines = values.flatMap(([name, value]) => [
      element("dt", {}, name.replaceAll("_", " ")),
      element("dd", { dir: "auto" }, typeof value === "string" ? value : JSON.stringify(value)),
    ]);
    parts.push(element("details", {}, element("summary", {}, "Result"), element("dl", {}, ...lines)));
  }
  const foot = element("div", { class: "buttons" });
  if (result.receipt) foot.append(...receipt(result.receipt, acts));
  if (result.undo !== null && result.undo !== undefined) foot.append(button("Undo", acts.undo));
  if (foot.children.length) parts.push(foot);
  return parts;
}

function receipt({ id, jws }, acts) {
  const copy = button("Copy signed receipt", async () => {
    await navigator.clipboard.writeText(jws);
    acts.say("The signed receipt is on the clipboard.");
  });
  return [element("span", { class: "receipt" }, `Receipt ${id}`), copy];
}

function button(text, onClick, style) {
  const node = element("button", { type: "button", class: `quiet ${style ?? ""}`.trim() }, text);
  node.addEventListener("click", onClick);
  return node;
}
