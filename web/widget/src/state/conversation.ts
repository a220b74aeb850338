import type { Event } from "@ag-ui/core";

import type { CardContent, Citation, Choice, Interrupt, Message, Offer, Progress, Result } from "./types";

const APPROVAL = "embark.approval";
const PROGRESS = "embark.progress";
const BLANK: Omit<Message, "id" | "role"> = {
  text: "",
  isOpen: false,
  refused: false,
  author: null,
  citations: [],
  choices: [],
  offer: null,
  card: null,
  progress: null,
  result: null,
};

interface Metadata {
  citations?: Citation[];
  choices?: Choice[];
  offer?: Offer | null;
  refused?: boolean;
  author?: { type?: string };
  name?: string;
  receipt?: Result["receipt"];
}

interface Stored {
  id: string;
  role: string;
  name?: string;
  content?: unknown;
  metadata?: Metadata;
  toolCalls?: { id: string; function: { arguments: string } }[];
  toolCallId?: string;
  activityType?: string;
}

/** A conversation as a value: each event makes the next one. */
export interface Conversation {
  readonly threadId: string;
  readonly messages: ReadonlyMap<string, Message>;
  readonly calls: ReadonlyMap<string, string>; // arguments by call, as they are on the wire
  readonly pauses: ReadonlyMap<string, Interrupt>; // the next run answers all of them
  readonly step: string | null;
  readonly error: { code: string; message: string } | null;
}

export function empty(threadId: string): Conversation {
  const none = { messages: new Map(), calls: new Map(), pauses: new Map() };
  return { threadId, ...none, step: null, error: null };
}

/** Puts a sent or stored message at the end, or in place of the one with its id. */
export function put(talk: Conversation, stored: Stored): Conversation {
  const calls = new Map(talk.calls);
  for (const call of stored.toolCalls ?? []) calls.set(call.id, call.function.arguments);
  const metadata = stored.metadata ?? {};
  const message: Message = {
    ...BLANK,
    id: stored.id,
    role: stored.role === "user" ? "user" : "assistant",
    text: typeof stored.content === "string" ? stored.content : "",
    author: metadata.author?.type === "human" ? (stored.name ?? "") : null,
    citations: metadata.citations ?? [],
    refused: metadata.refused ?? false,
  };
  return { ...changed(talk, message), calls };
}

export function apply(talk: Conversation, event: Event): Conversation {
  switch (event.type) {
    case "RUN_STARTED":
      return { ...talk, error: null };
    case "RUN_ERROR": // half an answer is none: asking again writes it whole
      return { ...withoutOpen(talk), step: null, error: { code: event.code ?? "", message: event.message } };
    case "RUN_FINISHED":
      return { ...talk, step: null, pauses: pausesOf(event.outcome) };
    case "STEP_STARTED":
      return { ...talk, step: event.stepName };
    case "STEP_FINISHED":
      return { ...talk, step: null };
    case "MESSAGES_SNAPSHOT":
      return (event.messages as Stored[]).reduce(restored, { ...talk, messages: new Map() });
    case "TEXT_MESSAGE_START":
      return opened(talk, event.messageId);
    case "TEXT_MESSAGE_CONTENT":
      return edited(talk, event.messageId, (was) => ({ text: was.text + event.delta }));
    case "TEXT_MESSAGE_END":
      return edited(talk, event.messageId, () => ended(event.metadata as Metadata | undefined));
    case "TOOL_CALL_START":
      return { ...talk, calls: new Map(talk.calls).set(event.toolCallId, "") };
    case "TOOL_CALL_ARGS":
      return withArguments(talk, event.toolCallId, event.delta);
    case "TOOL_CALL_RESULT":
      return finished(talk, event.toolCallId, event.content, event.metadata as Metadata | undefined);
    case "ACTIVITY_SNAPSHOT":
      return active(talk, event.activityType, event.content);
    case "ACTIVITY_DELTA":
      return moved(talk, event.messageId, event.patch as Patch[]);
    default:
      return talk;
  }
}

/** What is known of an action, put on its card. */
export function known(talk: Conversation, actionId: string, news: Partial<Message>): Conversation {
  const id = cardId(actionId);
  const was = talk.messages.get(id) ?? { ...BLANK, id, role: "card" as const };
  return changed(talk, { ...was, ...news });
}

export function cardId(actionId: string): string {
  return `${actionId}:card`;
}

function changed(talk: Conversation, message: Message): Conversation {
  return { ...talk, messages: new Map(talk.messages).set(message.id, message) };
}

function edited(
  talk: Conversation,
  id: string,
  news: (was: Message) => Partial<Message>,
): Conversation {
  const was = talk.messages.get(id);
  return was === undefined ? talk : changed(talk, { ...was, ...news(was) });
}

function opened(talk: Conversation, id: string): Conversation {
  const was = talk.messages.get(id) ?? { ...BLANK, id, role: "assistant" as const };
  return changed(talk, { ...was, isOpen: true });
}

function ended(metadata: Metadata = {}): Partial<Message> {
  return {
    isOpen: false,
    citations: metadata.citations ?? [],
    refused: metadata.refused ?? false,
    choices: metadata.choices ?? [],
    offer: metadata.offer ?? null,
  };
}

function withoutOpen(talk: Conversation): Conversation {
  const left = [...talk.messages].filter(([, message]) => !message.isOpen);
  return { ...talk, messages: new Map(left) };
}

function pausesOf(outcome: unknown): ReadonlyMap<string, Interrupt> {
  const interrupts = (outcome as { interrupts?: Interrupt[] } | undefined)?.interrupts ?? [];
  return new Map(interrupts.map((one) => [one.id, one]));
}

function restored(talk: Conversation, stored: Stored): Conversation {
  if (stored.role === "tool" && stored.toolCallId !== undefined)
    return finished(talk, stored.toolCallId, stored.content, stored.metadata);
  if (stored.role === "activity") return active(talk, stored.activityType ?? "", stored.content);
  return put(talk, stored);
}

function withArguments(talk: Conversation, call: string, delta: string): Conversation {
  return { ...talk, calls: new Map(talk.calls).set(call, (talk.calls.get(call) ?? "") + delta) };
}

function finished(
  talk: Conversation,
  actionId: string,
  content: unknown,
  metadata: Metadata = {},
): Conversation {
  const told = typeof content === "string" ? (JSON.parse(content) as Result) : null;
  if (told === null) return talk;
  const result = { ...told, receipt: metadata.receipt ?? null };
  return known(talk, actionId, { result, progress: null });
}

function active(talk: Conversation, type: string, content: unknown): Conversation {
  if (type === APPROVAL) {
    const card = content as CardContent;
    return known(talk, card.actionId, { card });
  }
  if (type !== PROGRESS) return talk;
  const progress = content as Progress;
  return known(talk, progress.actionId, { progress });
}

interface Patch {
  path: string;
  value: unknown;
}

/** The server's deltas replace fields of the first level. */
function moved(talk: Conversation, id: string, patch: Patch[]): Conversation {
  const card = cardId(id.replace(/:progress$/, ""));
  return edited(talk, card, ({ progress }) => {
    if (progress === null) return {};
    const fields = patch.map(({ path, value }) => [path.slice(1), value] as const);
    return { progress: { ...progress, ...Object.fromEntries(fields) } };
  });
}
