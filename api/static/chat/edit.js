// A form for the arguments of a card, made from their JSON Schema. It sends only what was changed.

import { element } from "./markdown.js";

/** Null when nothing can be changed here. */
export function editor(content, args, schema, onChange) {
  const lines = content.fields
    .filter((field) => !field.secret && field.name in schema && field.name in args)
    .map((field) => input(field, args[field.name], schema[field.name]))
    .filter((line) => line !== null);
  if (!lines.length) return null;
  const send = element("button", { type: "submit", class: "quiet primary" }, "Show the changed card");
  const form = element("form", { class: "edit", "aria-label": `Change: ${content.title}` });
  form.hidden = true;
  form.append(...lines.map((line) => line.node), send);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const changes = {};
    for (const line of lines) {
      const value = line.value();
      if (JSON.stringify(value) !== JSON.stringify(args[line.name])) changes[line.name] = value;
    }
    if (Object.keys(changes).length) onChange(changes);
    else form.hidden = true;
  });
  return form;
}

function input(field, value, schema) {
  const made = control(value, schema);
  if (!made) return null;
  const id = `edit-${crypto.randomUUID()}`;
  made.node.id = id;
  const label = element("label", { for: id }, field.label);
  return { name: field.name, node: element("div", {}, label, made.node), value: made.value };
}

function control(value, schema) {
  const types = [schema.type ?? typeof value].flat();
  if (Array.isArray(schema.enum)) return choice(value, schema.enum);
  if (types.includes("boolean")) return checkbox(value);
  if (types.includes("integer")) return number(value, schema);
  if (types.includes("array") && (schema.items?.type ?? "string") === "string") return list(value);
  return types.includes("string") && (typeof value === "string" || value === null) ? text(value, schema) : null;
}

function choice(value, options) {
  const node = element("select");
  options.forEach((option, place) => {
    const one = element("option", { value: String(place) }, String(option));
    one.selected = option === value;
    node.append(one);
  });
  return { node, value: () => options[Number(node.value)] };
}

function checkbox(value) {
  const node = element("input", { type: "checkbox" });
  node.checked = value === true;
  return { node, value: () => node.checked };
}

function number(value, { minimum, maximum }) {
  const node = element("input", { type: "number", step: "1", min: minimum, max: maximum, required: "" });
  node.value = String(value);
  return { node, value: () => Number.parseInt(node.value, 10) };
}

/** One a line. */
function list(value) {
  const node = element("textarea", { rows: String(Math.min(8, value.length + 1)), dir: "auto" });
  node.value = value.join("\n");
  return { node, value: () => node.value.split("\n").map((one) => one.trim()).filter(Boolean) };
}

function text(value, { maxLength, minLength }) {
  const node = element("input", { type: "text", dir: "auto", maxlength: maxLength, required: minLength ? "" : undefined });
  node.value = value ?? "";
  return { node, value: () => (node.value === "" && value === null ? null : node.value) };
}
