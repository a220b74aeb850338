import { useState } from "preact/hooks";

import { useApp } from "../app";
import type { Key } from "../i18n/words";
import type { Outcome } from "../state/steps";
import type { NextCard, Standing, Step } from "../state/types";
import { Icon } from "./icons";

const STATE = {
  done: "stepDone",
  open: "stepOpen",
  blocked: "stepBlocked",
  skipped: "stepSkipped",
} as const satisfies Record<Step["state"], Key>;

/** Next steps above the conversation: cards with their reason, and the checklist. */
export function Steps() {
  const { steps, words } = useApp();
  const standing = steps.standing.value;
  if (standing) return <Shown standing={standing} />;
  if (!steps.mayAsk.value) return null;
  return (
    <section class="steps" aria-label={words.value.say("steps")}>
      <p>{words.value.say("mayFollow")}</p>
      <div class="choices">
        <button type="button" class="primary" onClick={() => void steps.allow()}>
          {words.value.say("mayYes")}
        </button>
        <button type="button" onClick={() => steps.decline()}>
          {words.value.say("notNow")}
        </button>
      </div>
    </section>
  );
}

function Shown({ standing }: { standing: Standing }) {
  const { words } = useApp();
  const wanted = standing.checklist.filter((step) => step.state !== "skipped");
  const done = wanted.filter((step) => step.state === "done").length;
  if (wanted.length === 0 && standing.cards.length === 0) return null;
  const left = standing.minutesLeft;
  const progress = words.value.count("stepsDone", wanted.length, { done });
  const more = left && done < wanted.length ? `, ${words.value.count("minutesLeft", left)}` : "";
  return (
    <section class="steps" aria-label={words.value.say("steps")}>
      {wanted.length > 0 && (
        <details>
          <summary>
            <b dir="auto">{standing.title}</b>
            <progress max={wanted.length} value={done} aria-hidden="true" />
            <span>{progress + more}</span>
          </summary>
          <ul aria-label={words.value.say("checklist")}>
            {wanted.map((step) => (
              <CheckLine key={step.id} step={step} />
            ))}
          </ul>
        </details>
      )}
      {standing.cards.length > 0 && (
        <ul class="cards" aria-label={words.value.say("steps")}>
          {standing.cards.map((card) => (
            <StepCard key={card.action} card={card} />
          ))}
        </ul>
      )}
      <Asked />
    </section>
  );
}

/** The one question that would help most, where there is one. */
function Asked() {
  const { steps, words } = useApp();
  const question = steps.question.value;
  if (question === null) return null;
  return (
    <fieldset>
      <legend dir="auto">{question.asks}</legend>
      <p>{words.value.say("questionWhy", { why: question.why })}</p>
      <div class="choices">
        {question.choices.map(({ value, label }) => (
          <button type="button" key={value} dir="auto" onClick={() => void steps.reply(question, value)}>
            {label}
          </button>
        ))}
        <button type="button" class="plain" onClick={() => void steps.reply(question, null)}>
          {words.value.say("questionSkip")}
        </button>
        <button type="button" class="plain" onClick={() => void steps.reply(question, null, true)}>
          {words.value.say("never")}
        </button>
      </div>
    </fieldset>
  );
}

function CheckLine({ step }: { step: Step }) {
  const { words } = useApp();
  const state = words.value.say(STATE[step.state]);
  return (
    <li class={step.state}>
      <Icon name={step.state === "done" ? "done" : "open"} />
      <span dir="auto">{step.title}</span>
      <span class={step.state === "blocked" ? "" : "unseen"}>{state}</span>
      {step.colleague && <span>{words.value.say("stepColleague")}</span>}
    </li>
  );
}

function StepCard({ card }: { card: NextCard }) {
  const app = useApp();
  const { words } = app;
  const [isBusy, setBusy] = useState(false);
  const say = async (said: Outcome) => {
    setBusy(true);
    app.tell("card", { action: card.action, outcome: said.outcome });
    await app.steps.say(card, said).finally(() => setBusy(false));
  };
  const does = () => void say({ outcome: "clicked" }).then(() => app.ask(card.title));
  return (
    <li aria-busy={isBusy}>
      <b dir="auto">{card.title}</b>
      <p dir="auto">{card.why}</p>
      <div class="choices">
        {card.tool && (
          <button type="button" class="primary" disabled={isBusy} onClick={does}>
            {words.value.say("doIt")}
          </button>
        )}
        {!card.tool && card.opens && (
          <a class="button" href={card.opens} onClick={() => void say({ outcome: "clicked" })}>
            {words.value.say("go")}
          </a>
        )}
        {card.alternatives.length > 0 && (
          <button type="button" disabled={isBusy} onClick={() => void say({ outcome: "another" })}>
            {words.value.say("another")}
          </button>
        )}
        <button type="button" disabled={isBusy} onClick={() => void say({ outcome: "snoozed", snooze: "1d" })}>
          {words.value.say("notNow")}
        </button>
        <button type="button" class="plain" disabled={isBusy} onClick={() => void say({ outcome: "never" })}>
          {words.value.say("never")}
        </button>
      </div>
    </li>
  );
}
