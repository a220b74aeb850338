import { useEffect, useRef, useState } from "preact/hooks";

import { useApp } from "../app";
import texts from "../i18n/en.privacy.json";
import type { Key } from "../i18n/words";
import { teach } from "../i18n/words";
import type { Fact } from "../state/privacy";
import { Icon } from "./icons";

teach(texts);

const PURPOSES = {
  support: "purposeSupport",
  product_analytics: "purposeProductAnalytics",
  training: "purposeTraining",
  marketing: "purposeMarketing",
} as const satisfies Record<string, Key>;

/** See, correct, allow, take along, delete. */
export function Privacy() {
  const app = useApp();
  const { words, privacy } = app;
  const title = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    title.current?.focus();
    void privacy.load();
  }, [privacy]);
  const failure = privacy.failure.value;
  const erased = privacy.erased.value;
  return (
    <section class="source privacy" aria-labelledby="privacy-title">
      <button type="button" class="plain" onClick={() => (app.view.value = { name: "talk" })}>
        <Icon name="back" /> {words.value.say("back")}
      </button>
      <h3 id="privacy-title" tabIndex={-1} ref={title}>
        {words.value.say("privacy")}
      </h3>
      <p class="note">{words.value.say("privacyNote")}</p>
      {failure && (
        <p class="failed" role="alert">
          {failure.message || words.value.say("lost")}
        </p>
      )}
      {erased === null ? (
        <>
          <Purposes />
          <Known />
          <PutOff />
          <Data />
        </>
      ) : (
        <p role="status">{words.value.say("erased", { receipt: erased })}</p>
      )}
    </section>
  );
}

function Purposes() {
  const { privacy, steps, words } = useApp();
  const change = (purpose: string, given: boolean) =>
    void privacy.say(purpose, given).then(() => steps.look());
  return (
    <fieldset>
      <legend>{words.value.say("allowed")}</legend>
      {privacy.allowed.value.map(({ purpose, allowed }) => (
        <label key={purpose}>
          <input
            type="checkbox"
            checked={allowed}
            onChange={(event) => change(purpose, event.currentTarget.checked)}
          />{" "}
          {purpose in PURPOSES ? words.value.say(PURPOSES[purpose as keyof typeof PURPOSES]) : purpose}
        </label>
      ))}
    </fieldset>
  );
}

function Known() {
  const { privacy, steps, words } = useApp();
  const profile = privacy.profile.value;
  if (profile === null) return null;
  return (
    <fieldset>
      <legend>{words.value.say("known")}</legend>
      <label>
        <input
          type="checkbox"
          checked={profile.personalised}
          onChange={(event) => void privacy.personalise(event.currentTarget.checked).then(() => steps.look())}
        />{" "}
        {words.value.say("personalised")}
      </label>
      <Mode />
      {profile.facts.length === 0 && <p>{words.value.say("knownNothing")}</p>}
      <ul>
        {profile.facts.map((fact) => (
          <Line key={fact.name} fact={fact} />
        ))}
      </ul>
    </fieldset>
  );
}

function Mode() {
  const { privacy, steps, words } = useApp();
  const mode = steps.standing.value?.mode ?? "simple";
  return (
    <label>
      {words.value.say("mode")}{" "}
      <select
        value={mode}
        onChange={(event) => {
          const chosen = event.currentTarget.value === "advanced" ? "advanced" : "simple";
          void privacy.setMode(chosen).then(() => steps.look());
        }}
      >
        <option value="simple">{words.value.say("modeSimple")}</option>
        <option value="advanced">{words.value.say("modeAdvanced")}</option>
      </select>
    </label>
  );
}

function Line({ fact }: { fact: Fact }) {
  const { privacy, words } = useApp();
  const label = `${words.value.say("correct")}: ${fact.says}`;
  return (
    <li>
      <p dir="auto">{fact.says}</p>
      {fact.why.length > 0 && (
        <p class="note" dir="auto">
          {words.value.say("because", { why: fact.why.join("; ") })}
        </p>
      )}
      <div class="choices">
        {fact.choices.length > 0 && (
          <select
            aria-label={label}
            value={fact.value}
            onChange={(event) => void privacy.correct(fact.name, event.currentTarget.value)}
          >
            {fact.choices.map(({ value, label: told }) => (
              <option key={value} value={value}>
                {told}
              </option>
            ))}
          </select>
        )}
        <button type="button" class="plain" onClick={() => void privacy.remove(fact.name)}>
          {words.value.say("remove")}
          <span class="unseen">: {fact.says}</span>
        </button>
      </div>
    </li>
  );
}

function PutOff() {
  const { steps, words } = useApp();
  const muted = steps.standing.value?.muted ?? [];
  if (muted.length === 0) return null;
  return (
    <fieldset>
      <legend>{words.value.say("muted")}</legend>
      <ul>
        {muted.map(({ action, title, until }) => (
          <li key={action}>
            <span dir="auto">{title}</span>{" "}
            <small>
              {until ? words.value.say("mutedUntil", { date: words.value.day(new Date(until)) }) : words.value.say("mutedNever")}
            </small>{" "}
            <button type="button" class="plain" onClick={() => void steps.unmute(action)}>
              {words.value.say("suggestAgain")}
              <span class="unseen">: {title}</span>
            </button>
          </li>
        ))}
      </ul>
    </fieldset>
  );
}

function Data() {
  const app = useApp();
  const { privacy, words } = app;
  const [isSure, setSure] = useState(false);
  const take = async () => {
    const blob = await privacy.export();
    if (blob) save(blob, "embark-export.jsonl");
  };
  const erase = async () => {
    await privacy.erase();
    if (privacy.erased.value !== null) app.forget();
  };
  return (
    <fieldset>
      <legend>{words.value.say("yourData")}</legend>
      <div class="choices">
        <button type="button" onClick={() => void take()}>
          {words.value.say("export")}
        </button>
        <button type="button" aria-expanded={isSure} onClick={() => setSure(!isSure)}>
          {words.value.say("erase")}
        </button>
      </div>
      {isSure && (
        <div class="failed">
          <p>{words.value.say("eraseSure")}</p>
          <button type="button" class="primary" onClick={() => void erase()}>
            {words.value.say("eraseYes")}
          </button>
          <button type="button" onClick={() => setSure(false)}>
            {words.value.say("notNow")}
          </button>
        </div>
      )}
    </fieldset>
  );
}

function save(blob: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
