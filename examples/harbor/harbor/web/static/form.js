// Forms from descriptions of their fields: labels, hints, errors where they belong.

import { newKey } from "./api.js";
import { fill, h, newId } from "./dom.js";
import { problemBox } from "./parts.js";
import { reason } from "./session.js";

function options(field) {
  const list = field.options.map((each) => (typeof each === "string" ? [each, each] : each));
  return list.map(([value, label]) =>
    h("option", { value, selected: value === field.value }, label));
}

function control(field, id) {
  const common = { id, name: field.name, required: field.required, "aria-describedby":
    field.hint ? `${id}-hint` : null };
  if (field.options) return h("select", common, options(field));
  if (field.type === "textarea") {
    return h("textarea", { ...common, rows: field.rows ?? 4, placeholder: field.placeholder,
      value: field.value ?? "" });
  }
  return h("input", { ...common, type: field.type ?? "text", min: field.min, max: field.max,
    minlength: field.minlength, pattern: field.pattern, placeholder: field.placeholder,
    accept: field.accept, autocomplete: field.autocomplete ?? "off", list: field.list,
    checked: field.type === "checkbox" ? Boolean(field.value) : null,
    value: ["checkbox", "file"].includes(field.type) ? null : field.value ?? "" });
}

function choices(field) {
  const boxes = field.choices.map((each) => {
    const checked = (field.value ?? []).includes(each);
    const box = h("input", { type: "checkbox", name: field.name, checked });
    box.dataset.choice = each;
    return h("label", { class: "check" }, box, each);
  });
  return h("fieldset", { class: "choices" }, h("legend", {}, field.label),
    field.hint && h("small", {}, field.hint), boxes);
}

export function input(field) {
  if (field.choices) return choices(field);
  const id = newId(field.name);
  const node = control(field, id);
  const hint = field.hint && h("small", { id: `${id}-hint` }, field.hint);
  if (field.type === "checkbox") return h("div", { class: "field" },
    h("label", { class: "check", for: id }, node, field.label), hint);
  return h("div", { class: field.wide ? "field wide" : "field" },
    h("label", { for: id }, field.label), node, hint);
}

// The values by name: numbers as numbers, empty fields left out.
function valuesOf(form, fields) {
  const found = {};
  for (const field of fields) {
    const nodes = [...form.querySelectorAll(`[name="${field.name}"]`)];
    const [node] = nodes;
    if (field.choices) {
      found[field.name] = nodes.filter((n) => n.checked).map((n) => n.dataset.choice);
    } else if (field.type === "checkbox") found[field.name] = node.checked;
    else if (field.type === "file") found[field.name] = node.files[0];
    else if (node.value === "") continue;
    else found[field.name] = field.type === "number" ? Number(node.value) : node.value;
  }
  return found;
}

// `run(values, key)`: the key is the same for a request whose answer never came.
export function form(fields, run, given = {}) {
  const why = reason(given);
  const said = h("div", {});
  const submit = h("button", { class: `button ${given.kind ?? "primary"}` }, given.submit ?? "Save");
  const inside = h("fieldset", { class: "bare", disabled: Boolean(why) },
    h("div", { class: "fields" }, fields.map(input)), given.more,
    h("div", { class: "row" }, submit));
  const node = h("form", {}, why && h("p", { class: "muted why" }, why), inside, said);
  let key = newKey();
  let before = "";
  node.addEventListener("submit", async (event) => {
    event.preventDefault();
    const values = valuesOf(node, fields);
    const now = JSON.stringify(values, (_name, value) =>
      (value instanceof File ? [value.name, value.size, value.lastModified] : value));
    if (now !== before) key = newKey();
    before = now;
    fill(said);
    submit.setAttribute("aria-busy", "true");
    inside.disabled = true;
    try {
      await run(values, key);
      key = newKey();
      if (given.clear !== false) node.reset();
    } catch (problem) {
      if (!problem.unsure) key = newKey();
      fill(said, problemBox(problem));
    } finally {
      submit.removeAttribute("aria-busy");
      inside.disabled = false;
    }
  });
  return node;
}
