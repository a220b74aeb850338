// The drawer that a citation opens: the stored passage with the quote marked, and the way to the page.

import { blocks, element } from "./markdown.js";
import { problem } from "./problem.js";
import { headers } from "./session.js";

const drawer = document.querySelector("#source");
const part = (name) => document.querySelector(`#source-${name}`);

part("close").addEventListener("click", () => drawer.close());
drawer.addEventListener("click", (event) => {
  if (event.target === drawer) drawer.close(); // the backdrop
});

/** Open on `citation`; `opener` gets `aria-expanded` while it is open, and focus when it closes. */
export async function show(citation, opener) {
  opener.setAttribute("aria-expanded", "true");
  drawer.addEventListener("close", () => opener.setAttribute("aria-expanded", "false"), {
    once: true,
  });
  part("title").textContent = citation.title;
  part("place").textContent = `Source ${citation.marker}`;
  part("note").textContent = "";
  part("link").href = address(citation);
  part("text").replaceChildren(element("blockquote", {}, element("mark", {}, citation.quote)));
  drawer.showModal();
  part("title").focus();
  await fill(citation);
}

async function fill(citation) {
  const response = await fetch(`/v1/passages/${encodeURIComponent(citation.chunkId)}`, { headers: headers() });
  if (!response.ok) {
    const { message } = await problem(response);
    part("note").textContent = `Only the quote is shown: ${message}.`;
    return;
  }
  const passage = await response.json();
  const heading = passage.headingPath.join(" › ");
  part("place").textContent = heading ? `Source ${citation.marker}: ${heading}` : part("place").textContent;
  const found = render(passage.text, citation.quote);
  part("note").textContent = note(found, passage, citation);
  part("text").querySelector("mark")?.scrollIntoView({ block: "center" });
}

function render(text, quote) {
  if (!text.includes(quote)) return false;
  part("text").replaceChildren(...blocks(text, () => null));
  mark(part("text"), quote);
  return true;
}

function note(found, passage, citation) {
  const version = `Version ${passage.docVersion}.`;
  if (!found) return "The page has changed since this answer; the quote is as it was then.";
  return passage.docVersion === citation.docVersion
    ? version
    : `${version} The page has changed since this answer; the quote still stands.`;
}

/** Wrap the runs of text that make up `quote`. Markup and spacing do not count in the comparison. */
function mark(root, quote) {
  const wanted = plain(blocks(quote, () => null));
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  const places = [];
  let whole = "";
  while (walker.nextNode()) {
    const node = walker.currentNode;
    for (let at = 0; at < node.data.length; at += 1) {
      if (!node.data[at].trim()) continue;
      whole += node.data[at];
      places.push([node, at]);
    }
  }
  const start = whole.indexOf(wanted);
  if (start < 0 || !wanted) return;
  wrap(places.slice(start, start + wanted.length));
}

function plain(nodes) {
  return nodes.map((node) => node.textContent).join("").replace(/\s+/g, "");
}

function wrap(places) {
  const ends = new Map();
  for (const [node, at] of places) {
    const [first] = ends.get(node) ?? [at];
    ends.set(node, [first, at + 1]);
  }
  const [start, end] = [places[0][0], places.at(-1)[0]];
  for (const [node, [first, last]] of ends) {
    const range = document.createRange();
    range.setStart(node, node === start ? first : 0);
    range.setEnd(node, node === end ? last : node.data.length);
    range.surroundContents(element("mark"));
  }
}

/** Our own pages mark the quote; elsewhere the browser's text fragment does. */
function address(citation) {
  const url = new URL(citation.url, location.href);
  if (!["http:", "https:"].includes(url.protocol)) return "/";
  if (url.origin === location.origin) url.searchParams.set("quote", citation.quote);
  return url.href;
}
