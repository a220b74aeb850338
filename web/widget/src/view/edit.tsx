import { useId, useRef } from "preact/hooks";

import { useApp } from "../app";
import type { Open } from "../state/deeds";
import type { CardContent, Field, Schema } from "../state/types";

interface Props {
  card: CardContent;
  open: Open;
  send: (edited: Record<string, unknown>) => void;
}

/** A form for the arguments of a card, made from their JSON Schema. It sends only what was changed. */
export function EditForm({ card, open, send }: Props) {
  const { words } = useApp();
  const form = useRef<HTMLFormElement>(null);
  const shown = card.fields.filter((field) => !field.secret && open.schema[field.name] !== undefined);
  const submit = (event: Event) => {
    event.preventDefault();
    const changes = shown
      .map((field) => [field.name, read(form.current, field.name, open)] as const)
      .filter(([name, value]) => JSON.stringify(value) !== JSON.stringify(open.args[name]));
    if (changes.length > 0) send(Object.fromEntries(changes));
  };
  return (
    <form ref={form} class="edit" aria-label={words.value.say("changeOf", { title: card.title })} onSubmit={submit}>
      {shown.map((field) => (
        <Control key={field.name} field={field} value={open.args[field.name]} schema={open.schema[field.name] ?? {}} />
      ))}
      <button type="submit" class="primary">
        {words.value.say("showChanged")}
      </button>
    </form>
  );
}

function Control({ field, value, schema }: { field: Field; value: unknown; schema: Schema }) {
  const id = useId();
  return (
    <div>
      <label for={id}>{field.label}</label>
      <Input id={id} name={field.name} value={value} schema={schema} />
    </div>
  );
}

interface InputProps {
  id: string;
  name: string;
  value: unknown;
  schema: Schema;
}

function Input({ id, name, value, schema }: InputProps) {
  switch (kindOf(value, schema)) {
    case "choice":
      return (
        <select id={id} name={name}>
          {(schema.enum ?? []).map((option, place) => (
            <option value={place} selected={option === value}>
              {String(option)}
            </option>
          ))}
        </select>
      );
    case "boolean":
      return <input id={id} name={name} type="checkbox" defaultChecked={value === true} />;
    case "number": {
      const { minimum, maximum } = schema;
      const bounds = { ...(minimum === undefined ? {} : { min: minimum }), ...(maximum === undefined ? {} : { max: maximum }) };
      return <input id={id} name={name} type="number" step="1" {...bounds} required defaultValue={String(value ?? "")} />;
    }
    case "list": {
      const lines = (value as string[] | undefined) ?? [];
      return <textarea id={id} name={name} dir="auto" rows={Math.min(8, lines.length + 1)} defaultValue={lines.join("\n")} />;
    }
    default: {
      const most = schema.maxLength === undefined ? {} : { maxLength: schema.maxLength };
      return (
        <input id={id} name={name} type="text" dir="auto" {...most} required={Boolean(schema.minLength)} defaultValue={String(value ?? "")} />
      );
    }
  }
}

type Kind = "choice" | "boolean" | "number" | "list" | "text";

function kindOf(value: unknown, schema: Schema): Kind {
  const types = [schema.type ?? typeof value].flat();
  if (Array.isArray(schema.enum)) return "choice";
  if (types.includes("boolean")) return "boolean";
  if (types.includes("integer")) return "number";
  return types.includes("array") ? "list" : "text";
}

/** What stands in the form, as the argument it is. */
function read(form: HTMLFormElement | null, name: string, open: Open): unknown {
  const found = form?.elements.namedItem(name) as HTMLInputElement | null;
  const [value, schema] = [open.args[name], open.schema[name] ?? {}];
  if (!found) return value;
  switch (kindOf(value, schema)) {
    case "choice":
      return (schema.enum ?? [])[Number(found.value)];
    case "boolean":
      return found.checked;
    case "number":
      return Number.parseInt(found.value, 10);
    case "list":
      return found.value.split("\n").map((line) => line.trim()).filter(Boolean);
    default:
      return found.value === "" && (value ?? null) === null ? value : found.value;
  }
}
