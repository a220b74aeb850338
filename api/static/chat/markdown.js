// Markdown subset -> DOM nodes. No HTML string exists anywhere, so there is nothing to sanitise.

/** @typedef {(marker: number) => Node | null} Cite  makes the node of `[n]`; null leaves the text */

const FENCE = /^(\s*)(`{3,}|~{3,})\s*([\w+-]*)/;
const ITEM = /^(\s*)(?:([-*+])|(\d{1,9})[.)])\s+(.*)$/;
const HEADING = /^#{1,6}\s+(.*?)\s*#*$/;
const RULE = /^\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?\s*$/;
const INLINE = /(`+)(.+?)\1(?!`)|\*\*(.+?)\*\*|\[(\d{1,3})\]|!?\[([^\]]*)\]\([^)\s]*(?:\s+"[^"]*")?\)|\\([\\`*_{}[\]()#+.!|<>~-])/;

export function element(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== undefined) node.setAttribute(key, value);
  }
  node.append(...children);
  return node;
}

/** Nodes of a whole text. */
export function blocks(text, cite) {
  const lines = text.replace(/\r\n?/g, "\n").split("\n");
  const nodes = [];
  let at = 0;
  while (at < lines.length) {
    const [node, next] = block(lines, at, cite);
    if (node) nodes.push(node);
    at = next;
  }
  return nodes;
}

function block(lines, at, cite) {
  const line = lines[at];
  if (!line.trim()) return [null, at + 1];
  if (FENCE.test(line)) return fenced(lines, at);
  if (ITEM.test(line)) return list(lines, at, cite);
  if (line.includes("|") && RULE.test(lines[at + 1] ?? "")) return table(lines, at, cite);
  const heading = line.match(HEADING);
  if (heading) return [element("h3", {}, ...inline(heading[1], cite)), at + 1];
  return paragraph(lines, at, cite);
}

function fenced(lines, at) {
  const [, indent, fence] = lines[at].match(FENCE);
  const body = [];
  let next = at + 1;
  while (next < lines.length && !lines[next].trim().startsWith(fence)) {
    const line = lines[next];
    body.push(line.startsWith(indent) ? line.slice(indent.length) : line.trimStart());
    next += 1;
  }
  const code = element("code", {}, body.join("\n"));
  return [element("pre", { tabindex: "0", dir: "ltr" }, code), next + 1];
}

/** An item takes the deeper-indented lines below it, which are blocks of their own. */
function list(lines, at, cite) {
  const [, indent, , number] = lines[at].match(ITEM);
  const ordered = number !== undefined;
  const start = ordered && number !== "1" ? number : undefined;
  const node = element(ordered ? "ol" : "ul", { start });
  let next = at;
  while (next < lines.length) {
    const found = lines[next].match(ITEM);
    if (!found || found[1].length !== indent.length || (found[3] !== undefined) !== ordered) break;
    const inner = [found[4]];
    const width = lines[next].length - found[4].length;
    next += 1;
    while (next < lines.length && belongs(lines, next, indent.length)) {
      const line = lines[next];
      const margin = line.length - line.trimStart().length;
      inner.push(line.slice(Math.min(width, margin)));
      next += 1;
    }
    node.append(element("li", {}, ...tight(blocks(inner.join("\n"), cite))));
    while (next + 1 < lines.length && !lines[next].trim() && ITEM.test(lines[next + 1])) next += 1;
  }
  return [node, next];
}

function belongs(lines, at, indent) {
  const margin = (line) => line.length - line.trimStart().length;
  if (lines[at].trim()) return margin(lines[at]) > indent;
  const after = lines.slice(at).find((line) => line.trim());
  return after !== undefined && margin(after) > indent;
}

/** The first paragraph of an item stands on the item's own line. */
function tight(nodes) {
  const [first, ...rest] = nodes;
  return first?.nodeName === "P" ? [...first.childNodes, ...rest] : nodes;
}

function table(lines, at, cite) {
  const row = (line, name) =>
    element("tr", {}, ...cells(line).map((cell) => element(name, {}, ...inline(cell, cite))));
  const head = element("thead", {}, row(lines[at], "th"));
  const body = element("tbody");
  let next = at + 2;
  while (next < lines.length && lines[next].includes("|") && lines[next].trim()) {
    body.append(row(lines[next], "td"));
    next += 1;
  }
  return [element("table", { tabindex: "0" }, head, body), next];
}

function cells(line) {
  const inner = line.trim().replace(/^\|/, "").replace(/(?<!\\)\|$/, "");
  return inner.split(/(?<!\\)\|/).map((cell) => cell.trim().replaceAll("\\|", "|"));
}

function paragraph(lines, at, cite) {
  const own = [];
  let next = at;
  while (next < lines.length && lines[next].trim()) {
    const starts = FENCE.test(lines[next]) || ITEM.test(lines[next]) || HEADING.test(lines[next]);
    if (starts && next > at) break;
    own.push(lines[next].trim().replace(/^>\s?/, ""));
    next += 1;
  }
  return [element("p", {}, ...inline(own.join("\n"), cite)), next];
}

/** Nodes of one stretch of text. Links and images keep their words and lose their address. */
export function inline(text, cite) {
  const nodes = [];
  let rest = text;
  for (let found = rest.match(INLINE); found; found = rest.match(INLINE)) {
    const before = rest.slice(0, found.index);
    // a marker stays on the line of the word that it proves
    if (before) nodes.push(found[4] ? before.replace(/ $/, "\u00a0") : before);
    nodes.push(...span(found, cite));
    rest = rest.slice(found.index + found[0].length);
  }
  if (rest) nodes.push(rest);
  return nodes;
}

function span([whole, , code, strong, marker, words, escaped], cite) {
  if (code !== undefined) return [element("code", { dir: "ltr" }, code.trim() || code)];
  if (strong !== undefined) return [element("strong", {}, ...inline(strong, cite))];
  if (marker !== undefined) return [cite(Number(marker)) ?? whole];
  return words !== undefined ? inline(words, cite) : [escaped];
}
