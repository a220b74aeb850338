// Elements from values. Text is only ever set as text.

// Set as what a reset of the form goes back to.
const DEFAULTS = { value: "defaultValue", checked: "defaultChecked", selected: "defaultSelected" };
const SVG = "http://www.w3.org/2000/svg";

function add(node, children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    node.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
  return node;
}

function set(node, name, value) {
  if (value === null || value === undefined || value === false) return;
  if (name === "on") {
    for (const [event, run] of Object.entries(value)) node.addEventListener(event, run);
  } else if (DEFAULTS[name] in node) {
    node[DEFAULTS[name]] = value;
  } else {
    node.setAttribute(name, value === true ? "" : String(value));
  }
}

function make(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) set(node, name, value);
  return add(node, children);
}

export const h = (tag, attributes, ...children) =>
  make(document.createElement(tag), attributes, children);

export const svg = (tag, attributes, ...children) =>
  make(document.createElementNS(SVG, tag), attributes, children);

export function fill(node, ...children) {
  node.replaceChildren();
  return add(node, children);
}

let numbered = 0;
export const newId = (prefix = "n") => `${prefix}-${++numbered}`;
