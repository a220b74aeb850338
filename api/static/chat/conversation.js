// The conversation as plain values: AG-UI events folded into messages, with no idea of the page.

/**
 * @typedef {{id: string, role: string, text: string, open: boolean, citations: object[],
 *   refused: boolean, choices: object[], offer: object | null, card: object | null,
 *   progress: object | null, result: object | null}} Message
 * A card is a message too: `role` is "card", and `card`, `progress` and `result` are what is known
 * of its action.
 */

const APPROVAL = "embark.approval";
const PROGRESS = "embark.progress";

export class Conversation {
  constructor(threadId) {
    this.threadId = threadId;
    /** @type {Map<string, Message>} */
    this.messages = new Map();
    /** Arguments by call, as they are on the wire. */
    this.calls = new Map();
    /** Open interrupts by id: the next run answers all of them. */
    this.pauses = new Map();
    this.step = null;
    this.error = null;
  }

  /** Put a stored or sent message at the end, or in place of the one with its id. */
  put({ id, role, content, metadata, toolCalls }) {
    (toolCalls ?? []).forEach((call) => this.calls.set(call.id, call.function.arguments));
    this.messages.set(id, {
      ...this.blank(id, role),
      text: content ?? "",
      citations: metadata?.citations ?? [],
      refused: metadata?.refused ?? false,
    });
  }

  blank(id, role) {
    const none = { text: "", open: false, citations: [], refused: false, choices: [], offer: null };
    return { id, role, ...none, card: null, progress: null, result: null };
  }

  /** Fold one event; returns the ids of the messages that changed. */
  apply(event) {
    switch (event.type) {
      case "RUN_STARTED":
        this.error = null;
        return [];
      case "RUN_ERROR":
        this.error = event;
        this.step = null;
        return this.dropOpen(); // half an answer is none: asking again writes it whole
      case "RUN_FINISHED":
        this.step = null;
        return this.pause(event.outcome?.interrupts ?? []);
      case "STEP_FINISHED":
        this.step = null;
        return [];
      case "STEP_STARTED":
        this.step = event.stepName;
        return [];
      case "MESSAGES_SNAPSHOT":
        return this.replace(event.messages);
      default:
        return event.type.startsWith("TEXT_") ? this.text(event) : this.action(event);
    }
  }

  /** Cards change their buttons when the run that waits for them ends or goes on. */
  pause(interrupts) {
    const before = [...this.pauses.keys()];
    this.pauses = new Map(interrupts.map((one) => [one.id, one]));
    return [...before, ...this.pauses.keys()].map(cardId);
  }

  replace(messages) {
    const before = [...this.messages.keys()];
    this.messages.clear();
    messages.forEach((message) => this.restore(message));
    return [...before, ...this.messages.keys()];
  }

  restore(message) {
    if (message.role === "tool") this.result(message.toolCallId, message);
    else if (message.role !== "activity") this.put(message);
    else this.activity(message.activityType, message.content);
  }

  action(event) {
    switch (event.type) {
      case "TOOL_CALL_START":
        this.calls.set(event.toolCallId, "");
        return [];
      case "TOOL_CALL_ARGS":
        this.calls.set(event.toolCallId, this.calls.get(event.toolCallId) + event.delta);
        return [];
      case "TOOL_CALL_RESULT":
        return this.result(event.toolCallId, event);
      case "ACTIVITY_SNAPSHOT":
        return this.activity(event.activityType, event.content);
      case "ACTIVITY_DELTA":
        return this.progress(event);
      default:
        return [];
    }
  }

  activity(type, content) {
    if (type === APPROVAL) this.known(content.actionId).card = content;
    else if (type === PROGRESS) this.known(content.actionId).progress = content;
    else return [];
    return [cardId(content.actionId)];
  }

  /** Our deltas replace fields of the first level. */
  progress({ messageId, patch }) {
    const message = this.messages.get(cardId(messageId.replace(/:progress$/, "")));
    if (!message?.progress) return [];
    message.progress = { ...message.progress };
    for (const { path, value } of patch) message.progress[path.slice(1)] = value;
    return [message.id];
  }

  result(actionId, { content, metadata }) {
    const message = this.known(actionId);
    message.result = { ...JSON.parse(content), receipt: metadata?.receipt ?? null };
    message.progress = null;
    return [message.id];
  }

  known(actionId) {
    const id = cardId(actionId);
    if (!this.messages.has(id)) this.messages.set(id, this.blank(id, "card"));
    return this.messages.get(id);
  }

  dropOpen() {
    const open = [...this.messages.values()].filter((message) => message.open);
    open.forEach((message) => this.messages.delete(message.id));
    return open.map((message) => message.id);
  }

  text(event) {
    const message = this.messages.get(event.messageId);
    switch (event.type) {
      case "TEXT_MESSAGE_START":
        if (!message) this.put({ id: event.messageId, role: "assistant" });
        this.messages.get(event.messageId).open = true;
        return [event.messageId];
      case "TEXT_MESSAGE_CONTENT":
        message.text += event.delta;
        return [event.messageId];
      case "TEXT_MESSAGE_END":
        Object.assign(message, {
          open: false,
          citations: event.metadata?.citations ?? [],
          refused: event.metadata?.refused ?? false,
          choices: event.metadata?.choices ?? [],
          offer: event.metadata?.offer ?? null,
        });
        return [event.messageId];
      default:
        return [];
    }
  }
}

export function cardId(actionId) {
  return `${actionId}:card`;
}
