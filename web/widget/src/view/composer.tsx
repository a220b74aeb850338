import { useEffect, useRef } from "preact/hooks";

import { useApp } from "../app";
import type { Key } from "../i18n/words";
import { Icon } from "./icons";

const STEPS: ReadonlySet<string> = new Set(["retrieve", "ground", "answer", "plan", "act"]);
const MOST = 8_000;

/** What is asked next, and what is going on. */
export function Composer() {
  const app = useApp();
  const { words } = app;
  const field = useRef<HTMLTextAreaElement>(null);
  useEffect(() => {
    if (app.isOpen.value) field.current?.focus({ preventScroll: true });
  }, [app.isOpen.value]);
  const send = () => {
    if (app.busy.value || !app.draft.value.trim()) return;
    if (app.talk.isPaused) return;
    app.ask(app.draft.value);
    app.draft.value = "";
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    send();
  };
  return (
    <footer>
      <Status />
      <form
        onSubmit={(event) => {
          event.preventDefault();
          send();
        }}
      >
        <label for="question" class="unseen">
          {words.value.say("question")}
        </label>
        <textarea
          id="question"
          ref={field}
          rows={1}
          maxLength={MOST}
          dir="auto"
          autocomplete="off"
          placeholder={words.value.say("placeholder")}
          aria-describedby="keys"
          value={app.draft.value}
          onInput={(event) => (app.draft.value = event.currentTarget.value)}
          onKeyDown={onKeyDown}
        />
        <button type="submit" class="primary send" aria-label={words.value.say("send")} aria-disabled={app.busy.value}>
          <Icon name="send" />
        </button>
      </form>
      <p id="keys">
        <span class="unseen">{words.value.say("keys")} </span>
        {words.value.say("caution")}
      </p>
    </footer>
  );
}

/** Words instead of a spinner. */
function Status() {
  const app = useApp();
  return (
    <p role="status" class={app.busy.value ? "status busy" : "status"}>
      {useStatus()}
    </p>
  );
}

function useStatus(): string {
  const { talk, deeds, words, isOnline } = useApp();
  const { step } = talk.conversation.value;
  if (!isOnline.value) return words.value.say("offline");
  if (talk.lost.value) return words.value.say("reconnecting");
  if (talk.running.value) return words.value.say(step !== null && STEPS.has(step) ? (step as Key) : "retrieve");
  if (talk.isPaused) return deeds.missing > 1 ? words.value.count("moreToDecide", deeds.missing) : words.value.say("decideFirst");
  return "";
}
