const MOST = 100;
const NAME = /^[\w.:-]+$/;
const OURS = "embark-copilot";

/** What was meant: the nearest control around what was hit; null for the widget itself. */
export function elementOf(event: Event): Element | null {
  const [target] = event.composedPath();
  if (!(target instanceof Element) || event.composedPath().some((node) => isOurs(node))) return null;
  return target.closest("a[href],button,[role=button],[role=link],summary,label") ?? target;
}

/**
 * A name that the host's developers gave it, or its place in the page. Never its text, its label or
 * its value: those may be somebody's data.
 */
export function nameOf(element: Element): string {
  const own = [element.getAttribute("data-embark"), element.id, element.getAttribute("name")];
  const given = own.find((name) => name !== null && name !== undefined && NAME.test(name));
  return (given ?? place(element)).slice(-MOST);
}

function place(element: Element): string {
  const anchor = element.parentElement?.closest("[data-embark],[id]");
  const above = anchor ? `${anchor.getAttribute("data-embark") ?? anchor.id}:` : "";
  const role = element.getAttribute("role") ?? "";
  return `${above}${element.localName}${NAME.test(role) ? `.${role}` : ""}`;
}

function isOurs(node: EventTarget): boolean {
  return node instanceof Element && node.localName === OURS;
}
