import type { ComponentChildren } from "preact";

/** Makes what stands for `[n]`; null leaves the text. */
export type Cite = (marker: number) => ComponentChildren;

const FENCE = /^(\s*)(`{3,}|~{3,})\s*([\w+-]*)/;
const ITEM = /^(\s*)(?:([-*+])|(\d{1,9})[.)])\s+(.*)$/;
const HEADING = /^#{1,6}\s+(.*?)\s*#*$/;
const RULE = /^\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?\s*$/;
// lengths are bounded: what never closes is not looked for to the end of the text from each sign
const INLINE =
  /(`{1,9})(.{1,1000}?)\1(?!`)|\*\*(.{1,1000}?)\*\*|\[(\d{1,3})\]|!?\[([^\][]{0,300})\]\([^()\s]{0,1000}(?:\s+"[^"]{0,300}")?\)|\\([\\`*_{}[\]()#+.!|<>~-])/;

type Made = [block: ComponentChildren, next: number];

/** A markdown subset as nodes: no HTML string exists anywhere, so there is nothing to sanitise. */
export function Markdown({ text, cite = () => null }: { text: string; cite?: Cite }) {
  return <>{blocks(text.replace(/\r\n?/g, "\n").split("\n"), cite)}</>;
}

function blocks(lines: string[], cite: Cite): ComponentChildren[] {
  const made: ComponentChildren[] = [];
  for (let at = 0; at < lines.length; ) {
    const [block, next] = blockAt(lines, at, cite);
    made.push(block);
    at = next;
  }
  return made;
}

function blockAt(lines: string[], at: number, cite: Cite): Made {
  const line = lines[at] ?? "";
  if (!line.trim()) return [null, at + 1];
  if (FENCE.test(line)) return fenced(lines, at);
  if (ITEM.test(line)) return list(lines, at, cite);
  if (line.includes("|") && RULE.test(lines[at + 1] ?? "")) return table(lines, at, cite);
  const heading = HEADING.exec(line);
  if (heading) return [<h4>{inline(heading[1] ?? "", cite)}</h4>, at + 1];
  return paragraph(lines, at, cite);
}

function fenced(lines: string[], at: number): Made {
  const [, indent = "", fence = ""] = FENCE.exec(lines[at] ?? "") ?? [];
  const body: string[] = [];
  let next = at + 1;
  for (; next < lines.length && !lines[next]?.trim().startsWith(fence); next += 1) {
    const line = lines[next] ?? "";
    body.push(line.startsWith(indent) ? line.slice(indent.length) : line.trimStart());
  }
  const code = <code>{body.join("\n")}</code>;
  return [<pre tabIndex={0} dir="ltr">{code}</pre>, next + 1];
}

/** An item takes the deeper-indented lines below it, which are blocks of their own. */
function list(lines: string[], at: number, cite: Cite): Made {
  const [, indent = "", , number] = ITEM.exec(lines[at] ?? "") ?? [];
  const items: ComponentChildren[] = [];
  let next = at;
  while (next < lines.length) {
    const found = ITEM.exec(lines[next] ?? "");
    const isNext = found?.[1]?.length === indent.length && (found[3] === undefined) === (number === undefined);
    if (!found || !isNext) break;
    const first = found[4] ?? "";
    const width = found[0].length - first.length;
    const inner: string[] = [];
    for (next += 1; next < lines.length && belongs(lines, next, indent.length); next += 1)
      inner.push((lines[next] ?? "").slice(Math.min(width, margin(lines[next] ?? ""))));
    items.push(<li>{[...inline(first, cite), ...blocks(inner, cite)]}</li>);
    while (next + 1 < lines.length && !lines[next]?.trim() && ITEM.test(lines[next + 1] ?? "")) next += 1;
  }
  if (number === undefined) return [<ul>{items}</ul>, next];
  return [<ol start={Number(number)}>{items}</ol>, next];
}

function margin(line: string): number {
  return line.length - line.trimStart().length;
}

function belongs(lines: string[], at: number, indent: number): boolean {
  const line = lines.slice(at).find((one) => one.trim());
  const isBlank = !lines[at]?.trim();
  return line !== undefined && margin(isBlank ? line : (lines[at] ?? "")) > indent;
}

function table(lines: string[], at: number, cite: Cite): Made {
  const head = cells(lines[at] ?? "").map((cell) => <th>{inline(cell, cite)}</th>);
  const rows: ComponentChildren[] = [];
  let next = at + 2;
  for (; lines[next]?.includes("|"); next += 1)
    rows.push(<tr>{cells(lines[next] ?? "").map((cell) => <td>{inline(cell, cite)}</td>)}</tr>);
  const made = (
    <table tabIndex={0}>
      <thead>
        <tr>{head}</tr>
      </thead>
      <tbody>{rows}</tbody>
    </table>
  );
  return [made, next];
}

function cells(line: string): string[] {
  const inner = line.trim().replace(/^\|/, "").replace(/(?<!\\)\|$/, "");
  return inner.split(/(?<!\\)\|/).map((cell) => cell.trim().replaceAll("\\|", "|"));
}

function paragraph(lines: string[], at: number, cite: Cite): Made {
  const own: string[] = [];
  let next = at;
  for (; lines[next]?.trim(); next += 1) {
    const line = lines[next] ?? "";
    if (next > at && (FENCE.test(line) || ITEM.test(line) || HEADING.test(line))) break;
    own.push(line.trim().replace(/^>\s?/, ""));
  }
  return [<p>{inline(own.join("\n"), cite)}</p>, next];
}

/** Links and images keep their words and lose their address. */
function inline(text: string, cite: Cite): ComponentChildren[] {
  const made: ComponentChildren[] = [];
  let rest = text;
  for (let found = INLINE.exec(rest); found; found = INLINE.exec(rest)) {
    const before = rest.slice(0, found.index);
    // a marker stays on the line of the word that it proves
    if (before) made.push(found[4] ? before.replace(/ $/, "\u00a0") : before);
    made.push(span(found, cite));
    rest = rest.slice(found.index + found[0].length);
  }
  if (rest) made.push(rest);
  return made;
}

function span([whole, , code, strong, marker, words, escaped]: RegExpExecArray, cite: Cite): ComponentChildren {
  if (code !== undefined) return <code dir="ltr">{code.trim() || code}</code>;
  if (strong !== undefined) return <strong>{inline(strong, cite)}</strong>;
  if (marker !== undefined) return cite(Number(marker)) ?? whole;
  return words !== undefined ? inline(words, cite) : escaped;
}
