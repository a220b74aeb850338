import { useApp } from "../app";
import type { Citation, Message } from "../state/types";
import { later } from "./lazy";
import { Markdown } from "./markdown";

const Card = later(
  () => import("./card").then((part) => part.Card),
  ({ message }: { message: Message }) => message.card?.title ?? "",
);

/** `isLast`: what it offers can be answered by a click, as long as nothing was said after it. */
export function MessageView({ message, isLast }: { message: Message; isLast: boolean }) {
  const { words } = useApp();
  if (message.role === "card") return <Card message={message} />;
  const isMine = message.role === "user";
  const label = isMine ? words.value.say("you") : (message.author ?? words.value.say("assistant"));
  return (
    <article class={`${message.role}${message.refused ? " refused" : ""}`} aria-label={label} data-id={message.id}>
      <div class="text" dir="auto">
        {isMine ? message.text : <Answer message={message} />}
      </div>
      {message.citations.length > 0 && <Sources citations={message.citations} />}
      {isLast && !message.isOpen && <Picks message={message} />}
    </article>
  );
}

function Answer({ message }: { message: Message }) {
  const { words, read } = useBound();
  const cite = (marker: number) => {
    const citation = message.citations.find((one) => one.marker === marker);
    if (!citation) return message.isOpen ? <span class="cite">{marker}</span> : null;
    const label = words.value.say("sourceOf", { marker, title: citation.title });
    return (
      <button type="button" class="cite" aria-label={label} onClick={() => read(citation)}>
        {marker}
      </button>
    );
  };
  return <Markdown text={message.text} cite={cite} />;
}

function Sources({ citations }: { citations: readonly Citation[] }) {
  const { words, read } = useBound();
  return (
    <ul class="sources" aria-label={words.value.say("sources")}>
      {citations.map((citation) => (
        <li key={citation.id}>
          <button type="button" onClick={() => read(citation)}>
            <b>{citation.marker}</b> <span dir="auto">{citation.title}</span>
          </button>
        </li>
      ))}
    </ul>
  );
}

function Picks({ message }: { message: Message }) {
  const app = useApp();
  const { choices, offer } = message;
  if (choices.length === 0 && offer === null) return null;
  const said = ({ value, label }: { value: string; label: string }) =>
    value === "yes" || value === "no" ? value : label;
  return (
    <div class="choices">
      {choices.map((choice) => (
        <button type="button" key={choice.value} dir="auto" onClick={() => app.ask(said(choice))}>
          {choice.label}
        </button>
      ))}
      {offer && (
        <button type="button" class="primary" onClick={() => app.ask(offer.say)}>
          {app.words.value.say("doIt")}
        </button>
      )}
    </div>
  );
}

function useBound() {
  const app = useApp();
  return { words: app.words, read: (citation: Citation) => app.read(citation) };
}
