// The page: what is asked, what is shown, what is said aloud.

import { Conversation } from "./conversation.js";
import { blocks, element } from "./markdown.js";
import { show } from "./source.js";
import { Problem, join, run } from "./stream.js";

const KEPT = "embark.thread";
const STEPS = {
  retrieve: "Looking through the documentation",
  ground: "Checking what the documentation proves",
  answer: "Writing the answer",
};
const PERSON = "I would like to talk to a person.";
const byId = (name) => document.getElementById(name);
const [log, status, spoken, question, send] =
  ["log", "status", "spoken", "question", "send"].map(byId);

let conversation;
let running = false;

// --- what is shown --------------------------------------------------------------------------

function draw(ids) {
  const pinned = innerHeight + scrollY >= document.body.scrollHeight - 120;
  for (const id of new Set(ids)) {
    const old = log.querySelector(`[data-id="${CSS.escape(id)}"]`);
    const message = conversation.messages.get(id);
    if (!message) old?.remove();
    else if (old) old.replaceWith(article(message));
    else log.append(article(message));
  }
  byId("welcome").hidden = conversation.messages.size > 0;
  if (pinned) scrollTo(0, document.body.scrollHeight);
}

function article(message) {
  const mine = message.role === "user";
  const node = element("article", {
    class: `${mine ? "user" : "assistant"}${message.refused ? " refused" : ""}`,
    "data-id": message.id,
    "aria-label": mine ? "You" : "Embark",
    "aria-busy": message.open ? "true" : undefined,
  });
  if (mine) {
    node.dir = "auto";
    node.append(message.text);
    return node;
  }
  const content = blocks(message.text, (marker) => citeButton(message, marker));
  node.append(element("div", { class: "text", dir: "auto" }, ...content));
  if (message.citations.length) node.append(sources(message.citations));
  if (message.refused && !message.open) node.append(button("Ask for a person", () => ask(PERSON), "quiet offer"));
  return node;
}

function citeButton(message, marker) {
  const citation = message.citations.find((one) => one.marker === marker);
  if (!citation) return message.open ? element("span", { class: "cite" }, String(marker)) : null;
  const node = sourceButton(citation, "cite", String(marker));
  node.setAttribute("aria-label", `Source ${marker}: ${citation.title}`);
  return node;
}

function sources(citations) {
  const items = citations.map((citation) => {
    const label = element("span", {}, citation.title, ...section(citation));
    const number = element("b", {}, String(citation.marker));
    return element("li", {}, sourceButton(citation, "", number, label));
  });
  return element("ul", { class: "sources", "aria-label": "Sources" }, ...items);
}

/** The cited heading, as far as its anchor tells. */
function section({ url, title }) {
  const words = decodeURIComponent(new URL(url, location.href).hash.slice(1)).replace(/[-_]+/g, " ");
  return words && words !== title.toLowerCase() ? [element("small", {}, ` › ${words}`)] : [];
}

function sourceButton(citation, style, ...content) {
  const node = button("", () => show(citation, node), style);
  node.setAttribute("aria-haspopup", "dialog");
  node.setAttribute("aria-expanded", "false");
  node.append(...content);
  return node;
}

function button(text, onClick, style) {
  const node = element("button", { type: "button", class: style || undefined }, text);
  node.addEventListener("click", onClick);
  return node;
}

function say(text, busy = false) {
  status.textContent = text;
  status.classList.toggle("busy", busy);
}

function fail(message, again) {
  say("");
  const retry = button("Try again", () => {
    box.remove();
    again();
  }, "quiet offer");
  const box = element("div", { class: "failed", role: "alert" }, element("div", {}, message), retry);
  log.append(box);
  box.scrollIntoView({ block: "nearest" });
}

// --- what happens ---------------------------------------------------------------------------

function onEvent(event) {
  draw(conversation.apply(event));
  if (event.type === "STEP_STARTED" && STEPS[event.stepName]) say(STEPS[event.stepName], true);
  if (event.type === "TEXT_MESSAGE_END") announce(event.messageId);
}

/** The finished message once, in a polite region: pieces of it are not read out. */
function announce(id) {
  const { citations } = conversation.messages.get(id);
  const body = log.querySelector(`[data-id="${CSS.escape(id)}"] .text`);
  const count = citations.length === 1 ? "1 source" : `${citations.length} sources`;
  spoken.textContent = citations.length ? `${body.innerText} ${count}.` : body.innerText;
}

/** Follow one run, however it is reached; `again` is what the user may do when it fails. */
async function follow(reading, again) {
  running = true;
  send.setAttribute("aria-disabled", "true");
  say("Looking through the documentation", true);
  try {
    await reading(onEvent, () => say("Reconnecting", true));
    say("");
    if (conversation.error) fail(conversation.error.message, again);
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    fail(error.message, again);
  } finally {
    running = false;
    send.removeAttribute("aria-disabled");
  }
}

function ask(text) {
  if (running || !text.trim()) return;
  const message = { id: id("u"), role: "user", content: text.trim() };
  remember(conversation.threadId);
  conversation.put(message);
  draw([message.id]);
  scrollTo(0, document.body.scrollHeight);
  if (matchMedia("(pointer: fine)").matches) question.focus(); // elsewhere a keyboard would pop up
  answer(message);
}

function answer(message) {
  const input = {
    threadId: conversation.threadId,
    runId: id("r"),
    protocolVersion: "1.0",
    messages: [message],
    tools: [],
    context: [],
  };
  follow((...handlers) => run(input, ...handlers), () => answer(message));
}

function id(kind) {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return kind + Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

// --- which conversation ---------------------------------------------------------------------

function remember(threadId) {
  history.replaceState(null, "", `#${threadId}`);
  localStorage.setItem(KEPT, threadId);
}

function begin() {
  conversation = new Conversation(id("t"));
  history.replaceState(null, "", location.pathname);
  localStorage.removeItem(KEPT);
  log.replaceChildren();
  say("");
  draw([]);
  question.focus();
}

async function restore(threadId) {
  const response = await fetch(`/v1/conversations/${encodeURIComponent(threadId)}`);
  if (!response.ok) return begin();
  const stored = await response.json();
  conversation = new Conversation(threadId);
  remember(threadId);
  stored.messages.forEach((message) => conversation.put(message));
  log.replaceChildren();
  draw(conversation.messages.keys());
  scrollTo(0, document.body.scrollHeight);
  const rejoin = () => follow((...handlers) => join(threadId, ...handlers), rejoin);
  if (stored.running) await rejoin();
  return undefined;
}

async function suggest() {
  const response = await fetch("/v1/suggestions");
  if (!response.ok) return;
  const { suggestions } = await response.json();
  byId("suggestions").replaceChildren(
    ...suggestions.map((text) => element("li", { dir: "auto" }, button(text, () => ask(text)))),
  );
}

byId("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  if (running || !question.value.trim()) return;
  const text = question.value;
  question.value = "";
  grow();
  ask(text);
});
question.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  byId("ask").requestSubmit();
});

/** For browsers without `field-sizing`. */
function grow() {
  if (CSS.supports("field-sizing", "content")) return;
  question.rows = Math.min(8, question.value.split("\n").length);
}
question.addEventListener("input", grow);
byId("fresh").addEventListener("click", () => running || begin());
addEventListener("hashchange", () => {
  const wanted = location.hash.slice(1);
  if (wanted && wanted !== conversation.threadId) restore(wanted);
});

suggest();
const known = location.hash.slice(1) || localStorage.getItem(KEPT);
if (known) restore(known);
else begin();
