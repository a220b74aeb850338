// The page: what is asked, what is shown, what is said aloud.

import { Deeds } from "./deeds.js";
import { Conversation } from "./conversation.js";
import { guide } from "./guidance.js";
import { card } from "./card.js";
import { blocks, element } from "./markdown.js";
import { Problem } from "./problem.js";
import { headers, signIn, signedIn } from "./session.js";
import { show } from "./source.js";
import { join, run, watch } from "./stream.js";

const named = signIn();
const KEPT = signedIn() ? "embark.thread.mine" : "embark.thread";
const STEPS = {
  retrieve: "Looking through the documentation",
  ground: "Checking what the documentation proves",
  answer: "Writing the answer",
  plan: "Working out what is to be done",
  act: "Talking to the product",
};
const PERSON = "I would like to talk to a person.";
const byId = (name) => document.getElementById(name);
const [log, status, spoken, question, send] =
  ["log", "status", "spoken", "question", "send"].map(byId);

let conversation;
let running = false;
let watching = null;
const deeds = new Deeds({
  changed: (ids) => draw(ids),
  resume: (entries) => resume(entries),
  say: (text) => say(text),
  fail: (message, again) => fail(message, again),
});

// --- what is shown --------------------------------------------------------------------------

function draw(ids) {
  const pinned = innerHeight + scrollY >= document.body.scrollHeight - 120;
  for (const id of new Set(ids)) {
    const old = log.querySelector(`[data-id="${CSS.escape(id)}"]`);
    const message = conversation.messages.get(id);
    const focused = old?.contains(document.activeElement) ?? false;
    if (!message) old?.remove();
    else if (old) old.replaceWith(settled(article(message)));
    else log.insertBefore(article(message), after(id));
    if (message && focused) focusInside(id);
  }
  byId("welcome").hidden = conversation.messages.size > 0;
  if (pinned) scrollTo(0, document.body.scrollHeight);
}

/** What was on the page already does not appear again. */
function settled(node) {
  node.classList.add("settled");
  return node;
}

/** The first node on the page that stands behind this message in the conversation. */
function after(id) {
  const ids = [...conversation.messages.keys()];
  const later = ids.slice(ids.indexOf(id) + 1).map((one) => log.querySelector(`[data-id="${CSS.escape(one)}"]`));
  return later.find((node) => node !== null) ?? null;
}

/** What had the focus was drawn anew: it stays with the card, not with the page. */
function focusInside(id) {
  const node = log.querySelector(`[data-id="${CSS.escape(id)}"]`);
  node.tabIndex = -1;
  node.focus({ preventScroll: true });
}

function article(message) {
  if (message.role === "card") return card(message, deeds.of(conversation, message, running));
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
  if (isLast(message)) node.append(...picks(message));
  if (message.refused && !message.open) node.append(button("Ask for a person", () => ask(PERSON), "quiet offer"));
  return node;
}

/** What was asked or offered can be answered by a click, as long as nothing was said after it. */
function isLast(message) {
  const said = [...conversation.messages.values()].filter((one) => one.role !== "card");
  return !message.open && said.at(-1) === message;
}

function picks({ choices, offer }) {
  const buttons = choices.map(({ value, label }) => button(label, () => ask(value === "yes" || value === "no" ? value : label), "quiet"));
  if (offer) buttons.push(button("Do it for me", () => ask(offer.say), "quiet primary"));
  return buttons.length ? [element("div", { class: "choices" }, ...buttons)] : [];
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
  if (event.type === "RUN_FINISHED") draw(cards());
  if (event.type === "STATE_DELTA" || event.type === "RUN_FINISHED") lookAgain();
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
    watching?.abort();
    const cursor = await reading(onEvent, () => say("Reconnecting", true));
    say("");
    if (conversation.error) fail(conversation.error.message, again);
    followLater(cursor);
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    fail(error.needsSignIn ? "Your sign-in is over. Open this page again from the product." : error.message, again);
  } finally {
    running = false;
    send.removeAttribute("aria-disabled");
    draw(cards());
  }
}

function cards() {
  return [...conversation.messages.values()].filter((one) => one.role === "card").map((one) => one.id);
}

/** What is told without asking: the end of an action, somebody else's decision. */
function followLater(cursor) {
  if (!signedIn()) return;
  watching = new AbortController();
  watch(conversation.threadId, cursor, onEvent, watching.signal);
}

function resume(entries) {
  if (running) return;
  const input = { threadId: conversation.threadId, runId: id("r"), messages: [], tools: [], context: [], resume: entries };
  follow((...handlers) => run(input, ...handlers), () => resume(entries));
}

function ask(text) {
  if (running || !text.trim()) return;
  if (conversation.pauses.size) return decideFirst();
  const message = { id: id("u"), role: "user", content: text.trim() };
  remember(conversation.threadId);
  conversation.put(message);
  draw([...conversation.messages.keys()].slice(-3)); // earlier choices are no longer offered
  scrollTo(0, document.body.scrollHeight);
  if (matchMedia("(pointer: fine)").matches) question.focus(); // elsewhere a keyboard would pop up
  answer(message);
}

/** The server would refuse the run: every open card comes first. */
function decideFirst() {
  say("Decide on the open card first, or choose “Not now”.");
  const [first] = conversation.pauses.keys();
  const node = log.querySelector(`[data-id="${CSS.escape(`${first}:card`)}"]`);
  node?.scrollIntoView({ block: "nearest" });
  node?.querySelector("button")?.focus();
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
  watching?.abort();
  deeds.clear();
  conversation = new Conversation(id("t"));
  history.replaceState(null, "", location.pathname);
  localStorage.removeItem(KEPT);
  log.replaceChildren();
  say("");
  draw([]);
  question.focus();
}

async function restore(threadId) {
  const response = await fetch(`/v1/conversations/${encodeURIComponent(threadId)}`, { headers: headers() });
  if (!response.ok) return begin();
  const stored = await response.json();
  conversation = new Conversation(threadId);
  remember(threadId);
  stored.messages.forEach((message) => conversation.put(message));
  log.replaceChildren();
  draw(conversation.messages.keys());
  scrollTo(0, document.body.scrollHeight);
  const rejoin = () => follow((...handlers) => join(threadId, ...handlers), rejoin);
  if (stored.running || signedIn()) await rejoin(); // cards and open questions come with the stream
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
  if (conversation.pauses.size) return decideFirst();
  const text = question.value;
  question.value = "";
  grow();
  ask(text);
  return undefined;
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
const lookAgain = guide((text) => ask(text));
addEventListener("focus", lookAgain);
byId("person").hidden = !signedIn();
const known = named || localStorage.getItem(KEPT);
if (known) restore(known);
else begin();
