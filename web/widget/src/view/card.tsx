import { useEffect, useState } from "preact/hooks";

import { useApp } from "../app";
import texts from "../i18n/en.card.json";
import type { Key } from "../i18n/words";
import { teach } from "../i18n/words";
import type { Open, Word } from "../state/deeds";
import type { CardContent, Field, Message, Progress, Result } from "../state/types";
import { EditForm } from "./edit";

teach(texts);

const STATUS = {
  pending: "statusPending",
  approved: "statusApproved",
  started: "statusStarted",
  succeeded: "statusSucceeded",
  failed: "statusFailed",
  unknown: "statusUnknown",
  compensating: "statusCompensating",
  compensated: "statusCompensated",
  stuck: "statusStuck",
  denied: "statusDenied",
  cancelled: "statusCancelled",
  edited: "statusEdited",
  merged: "statusMerged",
  expired: "statusExpired",
  void: "statusVoid",
} as const satisfies Record<string, Key>;
const RISK = {
  read: "riskRead",
  write: "riskWrite",
  sensitive: "riskSensitive",
  destructive: "riskDestructive",
} as const satisfies Record<string, Key>;
const GOOD = new Set(["succeeded", "compensated"]);
const BAD = new Set(["failed", "unknown", "stuck", "void", "expired"]);

/** One action: what would be done, the word on it, how far it is, and its receipt. */
export function Card({ message }: { message: Message }) {
  const { words, deeds } = useApp();
  const { card, result, progress } = message;
  const status = card?.status ?? result?.status ?? "pending";
  const isOthers = status === "pending" && card?.approver === "other";
  const key = isOthers ? "statusOther" : (STATUS as Record<string, Key>)[status];
  const state = key === undefined ? status : words.value.say(key);
  const title = card?.title ?? result?.title ?? "";
  const open = deeds.of(message);
  return (
    <article class={`card ${tone(status)}`} data-id={message.id} aria-label={`${title}: ${state}`}>
      <header>
        <h4 dir="auto">{title}</h4>
        {card && <span class={`risk ${card.risk}`}>{words.value.say(RISK[card.risk])}</span>}
        <p class="state">{state}</p>
      </header>
      {card && <Content card={card} isPending={status === "pending"} />}
      {progress && !result && <Under progress={progress} />}
      {card && status === "pending" && open.canDecide && <Deciding card={card} open={open} />}
      {result && status !== "pending" && <Outcome result={result} actionId={card?.actionId ?? null} />}
    </article>
  );
}

function tone(status: string): string {
  if (status === "pending") return "asks";
  if (GOOD.has(status)) return "good";
  return BAD.has(status) ? "bad" : "";
}

function Content({ card, isPending }: { card: CardContent; isPending: boolean }) {
  const { words } = useApp();
  const never = words.value.say("cannotUndo");
  const undo = card.undo ? words.value.say("canUndo", { how: card.undo }) : never;
  const notes = card.notes.filter((note) => note !== never);
  return (
    <>
      {card.who && <p dir="auto">{card.who}</p>}
      {card.fields.length > 0 && <dl>{card.fields.map((field) => <Line key={field.name} field={field} />)}</dl>}
      {card.count > 1 && <p>{words.value.count("atOnce", card.count)}</p>}
      {card.steps.length > 0 && (
        <ol aria-label={words.value.say("actionSteps")}>
          {card.steps.map((step) => (
            <li dir="auto">{step}</li>
          ))}
        </ol>
      )}
      {isPending && notes.map((note) => <p class="note" dir="auto">{note}</p>)}
      {isPending && <p class={card.undo ? "undo" : "undo never"}>{undo}</p>}
    </>
  );
}

/** One argument: what stands now, struck out, and what it becomes. */
function Line({ field }: { field: Field }) {
  const { words } = useApp();
  const isChange = field.before !== null && field.before !== field.value;
  return (
    <>
      <dt>{field.label}</dt>
      <dd dir="auto">
        {isChange && (
          <>
            <del>
              <span class="unseen">{words.value.say("now")} </span>
              {field.before}
            </del>{" "}
          </>
        )}
        {isChange ? (
          <ins>
            <span class="unseen">{words.value.say("becomes")} </span>
            {field.value}
          </ins>
        ) : (
          field.value
        )}
        {field.origin && <small>{words.value.say("takenFrom", { origin: field.origin })}</small>}
      </dd>
    </>
  );
}

function Under({ progress }: { progress: Progress }) {
  const { words } = useApp();
  const { done, of, nextTry } = progress;
  const step = progress.step.replaceAll("_", " ") || words.value.say("working");
  const text = nextTry
    ? words.value.say("triesAgain", { time: words.value.time(new Date(nextTry)) })
    : of > 0
      ? words.value.say("progressOf", { step, done, of })
      : step;
  return (
    <div class="progress" role="status">
      {!nextTry && (of > 0 ? <progress max={of} value={done} aria-label={step} /> : <progress aria-label={step} />)}
      <span>{text}</span>
    </div>
  );
}

function Deciding({ card, open }: { card: CardContent; open: Open }) {
  const app = useApp();
  const [always, setAlways] = useState(false);
  const [isEditing, setEditing] = useState(false);
  const left = useSecondsUntil(card.expiresAt);
  const word = (said: Word) => {
    app.tell("approval", { action: card.actionId, verdict: said.verdict });
    void app.deeds.decide(card, said);
  };
  const canEdit = card.fields.some((field) => !field.secret && field.name in open.schema);
  return (
    <>
      <div class="choices">
        <button type="button" class="primary" disabled={left === 0} onClick={() => word({ verdict: "approve", always })}>
          {app.words.value.say("approve")}
        </button>
        <button type="button" disabled={left === 0} onClick={() => word({ verdict: "deny" })}>
          {app.words.value.say("deny")}
        </button>
        {canEdit && (
          <button type="button" aria-expanded={isEditing} onClick={() => setEditing(!isEditing)}>
            {app.words.value.say("change")}
          </button>
        )}
        <button type="button" class="plain" onClick={() => word({ verdict: "drop" })}>
          {app.words.value.say("notNow")}
        </button>
      </div>
      {isEditing && <EditForm card={card} open={open} send={(edited) => word({ verdict: "approve", edited })} />}
      {card.always && (
        <label class="always">
          <input type="checkbox" checked={always} onChange={(event) => setAlways(event.currentTarget.checked)} />{" "}
          {app.words.value.say("always")}
        </label>
      )}
      <Countdown left={left} />
    </>
  );
}

/** Seconds are shown, not read out; the end of the time is. */
function Countdown({ left }: { left: number }) {
  const { words } = useApp();
  if (left === 0) return <p class="expires" role="status">{words.value.say("expired")}</p>;
  const clock = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
  return <p class="expires" aria-hidden="true">{words.value.say("expiresIn", { clock })}</p>;
}

function useSecondsUntil(at: string): number {
  const left = () => Math.max(0, Math.round((Date.parse(at) - Date.now()) / 1000));
  const [seconds, setSeconds] = useState(left);
  useEffect(() => {
    const timer = setInterval(() => setSeconds(left()), 1000);
    return () => clearInterval(timer);
  }, [at]);
  return seconds;
}

function Outcome({ result, actionId }: { result: Result; actionId: string | null }) {
  const app = useApp();
  const { words } = app;
  const values = Object.entries(result.result ?? {}).filter(([, value]) => value !== null);
  const undoable = actionId !== null && result.undo !== null && result.undo !== undefined;
  const { receipt } = result;
  return (
    <>
      {result.detail && <p class="detail" dir="auto">{result.detail}</p>}
      {values.length > 0 && (
        <details>
          <summary>{words.value.say("result")}</summary>
          <dl>{values.map(([name, value]) => <Value key={name} name={name} value={value} />)}</dl>
        </details>
      )}
      {(receipt || undoable) && (
        <div class="choices">
          {receipt && <span class="receipt">{words.value.say("receipt", { id: receipt.id })}</span>}
          {receipt && (
            <button type="button" class="plain" onClick={() => void navigator.clipboard.writeText(receipt.jws)}>
              {words.value.say("copyReceipt")}
            </button>
          )}
          {undoable && (
            <button type="button" onClick={() => void app.deeds.undo(actionId)}>
              {words.value.say("undo")}
            </button>
          )}
        </div>
      )}
    </>
  );
}

function Value({ name, value }: { name: string; value: unknown }) {
  return (
    <>
      <dt>{name.replaceAll("_", " ")}</dt>
      <dd dir="auto">{typeof value === "string" ? value : JSON.stringify(value)}</dd>
    </>
  );
}
