// The conversation as plain values: AG-UI events folded into messages, with no idea of the page.

/**
 * @typedef {{id: string, role: string, text: string, open: boolean,
 *   citations: object[], refused: boolean}} Message
 */

export class Conversation {
  constructor(threadId) {
    this.threadId = threadId;
    /** @type {Map<string, Message>} */
    this.messages = new Map();
    this.step = null;
    this.error = null;
  }

  /** Put a stored or sent message at the end, or in place of the one with its id. */
  put({ id, role, content, metadata }) {
    this.messages.set(id, {
      id,
      role,
      text: content ?? "",
      open: false,
      citations: metadata?.citations ?? [],
      refused: metadata?.refused ?? false,
    });
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
      case "STEP_FINISHED":
        this.step = null;
        return [];
      case "STEP_STARTED":
        this.step = event.stepName;
        return [];
      case "MESSAGES_SNAPSHOT":
        return this.replace(event.messages);
      default:
        return this.text(event);
    }
  }

  replace(messages) {
    const before = [...this.messages.keys()];
    this.messages.clear();
    messages.filter((message) => message.role !== "activity").forEach((m) => this.put(m));
    return [...before, ...this.messages.keys()];
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
        message.open = false;
        message.citations = event.metadata?.citations ?? [];
        message.refused = event.metadata?.refused ?? false;
        return [event.messageId];
      default:
        return [];
    }
  }
}
