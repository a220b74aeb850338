import { nameOf } from "./naming";
import type { Sender } from "./sender";

/** Forms that came into use, were edited, sent, or left; never what was written in them. */
export function watchForms(sender: Sender, left: (work: () => void) => void, ends: AbortSignal): void {
  const edits = new Map<HTMLFormElement, Map<string, number>>();
  const opened = new WeakSet<HTMLFormElement>();
  const options = { capture: true, passive: true, signal: ends };
  const formOf = (event: Event): HTMLFormElement | null => {
    const field = event.target;
    return field instanceof Element && !field.closest("[type=password]") ? field.closest("form") : null;
  };
  addEventListener(
    "focusin",
    (event) => {
      const form = formOf(event);
      if (form === null || opened.has(form)) return;
      opened.add(form);
      sender.track("form_opened", { form: nameOf(form) });
    },
    options,
  );
  addEventListener(
    "change",
    (event) => {
      const form = formOf(event);
      if (form === null || !(event.target instanceof Element)) return;
      const [field, known] = [nameOf(event.target), edits.get(form) ?? new Map<string, number>()];
      edits.set(form, known.set(field, (known.get(field) ?? 0) + 1));
      sender.track("form_edited", { form: nameOf(form), field, edits: known.get(field) ?? 1 });
    },
    options,
  );
  addEventListener(
    "submit",
    (event) => {
      if (!(event.target instanceof HTMLFormElement)) return;
      edits.delete(event.target);
      sender.track("form_submitted", { form: nameOf(event.target) });
    },
    options,
  );
  left(() => {
    for (const [form, fields] of edits) sender.track("form_left", { form: nameOf(form), edited: fields.size });
    edits.clear();
  });
}
