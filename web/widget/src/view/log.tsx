import { useEffect, useRef, useState } from "preact/hooks";

import type { App } from "../app";
import { useApp } from "../app";
import type { Problem } from "../client/problem";
import { LOST } from "../client/problem";
import type { Words } from "../i18n/words";
import { MessageView } from "./message";
import { Steps } from "./steps";

const SIGN_IN: ReadonlySet<string> = new Set(["auth_expired", "sign_in_required", "stale_sign_in"]);
const NEAR_PX = 120;

/** Everything that was said, with the next steps above it. */
export function Log() {
  const app = useApp();
  const messages = app.talk.messages.value;
  const place = usePinned(app);
  const last = messages.filter((message) => message.role !== "card").at(-1);
  return (
    <div class="scroll" ref={place} tabIndex={-1}>
      <div class="content">
        <Steps />
        {messages.length === 0 && <Welcome />}
        <div role="log" aria-live="off" aria-label={app.words.value.say("conversation")}>
          {messages.map((message) => (
            <MessageView key={message.id} message={message} isLast={message === last} />
          ))}
        </div>
        <Failed />
        <Spoken />
      </div>
    </div>
  );
}

/** Stays at the end, whatever grows, as long as whoever reads is there. */
function usePinned(app: App) {
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const node = place.current;
    const content = node?.firstElementChild;
    if (!node || !content) return;
    let isPinned = true;
    const look = () => {
      isPinned = node.scrollHeight - node.scrollTop - node.clientHeight < NEAR_PX;
    };
    const grown = new ResizeObserver(() => {
      if (isPinned && app.talk.messages.peek().length > 0) node.scrollTop = node.scrollHeight;
    });
    grown.observe(content);
    node.addEventListener("scroll", look, { passive: true });
    return () => {
      grown.disconnect();
      node.removeEventListener("scroll", look);
    };
  }, []);
  return place;
}

function Welcome() {
  const app = useApp();
  const { words } = app;
  const suggestions = app.suggestions.value;
  return (
    <section class="welcome">
      <h3>{words.value.say("greeting")}</h3>
      <p>{words.value.say("welcome")}</p>
      <ul aria-label={words.value.say("suggestions")}>
        {suggestions.map((text) => (
          <li key={text} dir="auto">
            <button type="button" onClick={() => app.ask(text)}>
              {text}
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}

function Failed() {
  const app = useApp();
  const failure = app.talk.failure.value;
  const problem = failure?.problem ?? app.deeds.failure.value;
  if (!problem) return null;
  return (
    <div class="failed" role="alert">
      <p>{told(problem, app.words.value)}</p>
      {failure && !SIGN_IN.has(problem.code) && (
        <button type="button" onClick={failure.again}>
          {app.words.value.say("again")}
        </button>
      )}
    </div>
  );
}

function told(problem: Problem, words: Words): string {
  if (problem.code === LOST) return words.say("lost");
  if (SIGN_IN.has(problem.code)) return words.say("signInOver");
  return problem.message || words.say("unexpected");
}

/** A finished answer once, in a polite region: pieces of it are not read out. */
function Spoken() {
  const app = useApp();
  const [text, setText] = useState("");
  const heard = useRef(new Set<string>());
  const isRunning = app.busy.value;
  const messages = app.talk.messages.value;
  useEffect(() => {
    for (const message of messages) {
      if (message.role !== "assistant" || message.isOpen || heard.current.has(message.id)) continue;
      heard.current.add(message.id);
      const count = message.citations.length;
      const sources = count > 0 ? ` ${app.words.value.count("sourceCount", count)}.` : "";
      if (isRunning) setText(message.text.replace(/[*`#]|\[\d+\]/g, "") + sources);
    }
  }, [messages, isRunning]);
  return (
    <div class="unseen" aria-live="polite">
      {text}
    </div>
  );
}
