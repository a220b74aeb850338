// What the buttons of a card do: words on cards go with the next run, or over REST where no run
// waits for them.

import { cardId } from "./conversation.js";
import { ask } from "./session.js";
import { Problem } from "./problem.js";

export class Deeds {
  /** @param {{changed, resume, say, fail}} page */
  constructor(page) {
    this.page = page;
    this.clear();
  }

  clear() {
    /** Words that wait for those on the other open cards. */
    this.words = new Map();
    /** Cards that were asked for over REST, as the server described them. */
    this.own = new Map();
  }

  /** What `card` needs to know and may do. */
  of(conversation, message, running) {
    const actionId = message.card?.actionId;
    const pause = conversation.pauses.get(actionId);
    const own = this.own.get(actionId);
    const args = own ? own.args : JSON.parse(conversation.calls.get(actionId) || "{}");
    const schema = own ? own.schema.properties : pause?.responseSchema.properties.editedArgs.properties;
    return {
      open: Boolean(own) || (Boolean(pause) && !running && !this.words.has(actionId)),
      args,
      schema: schema ?? {},
      decide: (word) => (own ? this.decideOwn(conversation, own, word) : this.decide(conversation, message.card, word)),
      undo: () => this.undo(conversation, actionId),
      say: this.page.say,
    };
  }

  decide(conversation, content, word) {
    this.words.set(content.actionId, entry(content, word));
    const open = [...conversation.pauses.keys()];
    const missing = open.filter((id) => !this.words.has(id));
    this.page.changed([cardId(content.actionId)]);
    if (missing.length) return this.page.say(`${missing.length} more to decide.`);
    const entries = open.map((id) => this.words.get(id));
    this.words.clear();
    return this.page.resume(entries);
  }

  async undo(conversation, actionId) {
    await this.attempt(async () => {
      const approval = await ask(`/v1/actions/${encodeURIComponent(actionId)}/undo`, {});
      this.shown(conversation, approval);
      this.page.say("This would take it back. Nothing happens before you approve it.");
    }, () => this.undo(conversation, actionId));
  }

  async decideOwn(conversation, own, word) {
    const path = `/v1/${word.verdict === "drop" ? "actions" : "approvals"}/${encodeURIComponent(own.actionId)}`;
    await this.attempt(async () => {
      if (word.verdict === "drop") await ask(`${path}/cancel`, {});
      else {
        const { digest } = own;
        const body = { digest, decision: word.verdict, editedArgs: word.edited, always: word.always };
        const approval = await ask(`${path}/decision`, body);
        if (approval.actionId !== own.actionId) this.shown(conversation, approval);
      }
      this.own.delete(own.actionId);
      await this.refresh(conversation, own.actionId);
      if (own.undoes) await this.refresh(conversation, own.undoes);
    }, () => this.decideOwn(conversation, own, word));
  }

  shown(conversation, approval) {
    this.own.set(approval.actionId, approval);
    this.page.changed(conversation.activity("embark.approval", approval));
    document.querySelector(`[data-id="${CSS.escape(cardId(approval.actionId))}"] button`)?.focus();
  }

  /** How an action stands now. */
  async refresh(conversation, actionId) {
    const found = await ask(`/v1/actions/${encodeURIComponent(actionId)}`);
    const message = conversation.known(actionId);
    message.card = found.card;
    message.result = found;
    this.page.changed([message.id]);
  }

  async attempt(work, again) {
    try {
      await work();
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      this.page.fail(error.message, again);
    }
  }
}

function entry({ actionId, digest }, { verdict, edited, always }) {
  if (verdict === "drop") return { interruptId: actionId, status: "cancelled" };
  const payload = { approved: verdict === "approve", digest };
  if (edited) payload.editedArgs = edited;
  if (always) payload.always = true;
  return { interruptId: actionId, status: "resolved", payload };
}
