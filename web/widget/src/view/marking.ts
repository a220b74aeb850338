/** A character of the page: its node, and where in it. */
type Place = readonly [node: Text, at: number];

/** Wraps the runs of text that make up `quote`. Markup and spacing do not count in the comparison. */
export function mark(root: HTMLElement, quote: string): void {
  const wanted = quote.replace(/[\s*_`#>|\\-]+/g, "");
  const { text, places } = charactersOf(root);
  const start = text.indexOf(wanted);
  if (start >= 0 && wanted) wrap(places.slice(start, start + wanted.length));
}

function charactersOf(root: HTMLElement): { text: string; places: Place[] } {
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  const places: Place[] = [];
  let text = "";
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const { data } = node as Text;
    for (let at = 0; at < data.length; at += 1) {
      const sign = data[at] ?? "";
      if (/[\s*_`#>|\\-]/.test(sign)) continue;
      text += sign;
      places.push([node as Text, at]);
    }
  }
  return { text, places };
}

function wrap(places: readonly Place[]): void {
  const ends = new Map<Text, [first: number, last: number]>();
  for (const [node, at] of places) ends.set(node, [ends.get(node)?.[0] ?? at, at + 1]);
  const nodes = [...ends];
  nodes.forEach(([node, [first, last]], place) => {
    const range = document.createRange();
    range.setStart(node, place === 0 ? first : 0);
    range.setEnd(node, place === nodes.length - 1 ? last : node.data.length);
    range.surroundContents(document.createElement("mark"));
  });
}
