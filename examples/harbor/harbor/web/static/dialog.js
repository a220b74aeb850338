// Questions before what cannot be taken back, and secrets that are shown once.

import { h, newId } from "./dom.js";

function open(title, content, buttons) {
  const id = newId("dialog");
  const node = h("dialog", { "aria-labelledby": id }, h("h2", { id }, title), content,
    h("div", { class: "row end" }, buttons));
  document.body.append(node);
  node.addEventListener("close", () => node.remove());
  node.showModal();
  return node;
}

function choice(label, kind, run) {
  const node = h("button", { type: "button", class: `button ${kind}` }, label);
  node.addEventListener("click", run);
  return node;
}

// Resolves to true or false; `more` are nodes between text and buttons.
function question(kind, title, text, yes, more) {
  return new Promise((resolve) => {
    let said = false;
    const confirm = choice(yes, kind, () => {
      said = true;
      node.close();
    });
    const cancel = choice("Cancel", "plain", () => node.close());
    const node = open(title, [h("p", {}, text), more], [cancel, confirm]);
    node.addEventListener("close", () => resolve(said));
    cancel.focus();
  });
}

export const ask = (title, text, yes, ...more) => question("danger", title, text, yes, more);

// For what can be taken back.
export const agree = (title, text, yes, ...more) => question("primary", title, text, yes, more);

export function show(title, ...content) {
  return new Promise((resolve) => {
    const node = open(title, content, [choice("Done", "primary", () => node.close())]);
    node.addEventListener("close", () => resolve());
  });
}
