// Next steps above the conversation: asked for once, shown while there are some, told what was said.

import { element } from "./markdown.js";
import { Problem } from "./problem.js";
import { ask as call, headers, signedIn } from "./session.js";

const PATH = "/v1/me/next-steps";
const TEXT_VERSION = "chat-page-1";
const place = document.getElementById("steps");

/** `does` asks the conversation for something. Returns what looks again. */
export function guide(does) {
  const look = async () => {
    if (!signedIn()) return;
    try {
      draw(await call(PATH));
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      place.hidden = true; // nobody is guided here, or not now: the conversation goes on
    }
  };

  function draw(standing) {
    const content = standing.guided ? steps(standing) : permission();
    place.replaceChildren(...content);
    place.hidden = content.length === 0;
  }

  function permission() {
    if (sessionStorage.getItem("embark.steps") === "no") return [];
    const yes = button("Yes, suggest next steps", allow, "quiet primary");
    const no = button("Not now", () => {
      sessionStorage.setItem("embark.steps", "no");
      place.hidden = true;
    });
    const words = "May I follow what you do in the product, to suggest your next step? You can take it back at any time.";
    return [element("p", {}, words), element("div", { class: "choices" }, yes, no)];
  }

  async function allow() {
    const body = { textVersion: TEXT_VERSION, channel: "widget", said: [{ purpose: "product_analytics", given: true }] };
    await fetch("/v1/me/consents", {
      method: "PUT",
      headers: headers({ "content-type": "application/json" }),
      body: JSON.stringify(body),
    });
    await look();
  }

  function steps({ title, checklist, cards, minutesLeft }) {
    const wanted = checklist.filter((step) => step.state !== "skipped");
    const done = wanted.filter((step) => step.state === "done").length;
    const left = minutesLeft && done < wanted.length ? `, about ${minutesLeft} min left` : "";
    const head = wanted.length ? [element("h2", {}, title), element("p", {}, `${done} of ${wanted.length} steps done${left}`)] : [];
    if (!cards.length) return head;
    return [...head, element("ul", { "aria-label": "Next steps" }, ...cards.map(card))];
  }

  function card(step) {
    const say = (outcome, more = {}) => respond(step, { outcome, ...more });
    const doing = button("Do it for me", () => say("clicked").then(() => does(step.title)), "quiet primary");
    const buttons = [
      ...(step.tool ? [doing] : []),
      button("Not now", () => say("snoozed", { snooze: "1d" })),
      button("Never", () => say("never")),
    ];
    return element("li", {}, element("b", {}, step.title), element("p", {}, step.why), element("div", { class: "choices" }, ...buttons));
  }

  async function respond({ decision, action }, body) {
    try {
      draw(await call(`${PATH}/${decision}/${action}`, body));
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      await look();
    }
  }

  look();
  return look;
}

function button(text, onClick, style = "quiet") {
  const node = element("button", { type: "button", class: style }, text);
  node.addEventListener("click", onClick);
  return node;
}
