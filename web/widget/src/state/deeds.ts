import type { ResumeEntry } from "@ag-ui/core";
import { signal } from "@preact/signals";

import type { Client } from "../client/client";
import { Problem } from "../client/problem";
import type { Talk } from "./talk";
import type { Approval, CardContent, Message, Result, Schema } from "./types";

/** What a person says of a card. `drop` is "not now": nobody is told no. */
export type Word =
  | { verdict: "approve"; edited?: Record<string, unknown>; always?: boolean }
  | { verdict: "deny" }
  | { verdict: "drop" };

/** What a card may offer now. */
export interface Open {
  readonly canDecide: boolean;
  readonly args: Readonly<Record<string, unknown>>;
  readonly schema: Readonly<Record<string, Schema>>;
}

/**
 * Words on cards. Those of a paused run go with the next run, all at once, as the protocol asks;
 * those of cards that were asked for over REST, such as an undo, go over REST.
 */
export class Deeds {
  readonly failure = signal<Problem | null>(null);
  readonly #words = signal<ReadonlyMap<string, ResumeEntry>>(new Map());
  readonly #own = signal<ReadonlyMap<string, Approval>>(new Map());

  constructor(
    private readonly client: Client,
    private readonly talk: Talk,
  ) {}

  of(message: Message): Open {
    const id = message.card?.actionId ?? "";
    const own = this.#own.value.get(id);
    if (own) return { canDecide: true, args: own.args, schema: own.schema.properties };
    const { pauses, calls } = this.talk.conversation.value;
    const pause = pauses.get(id);
    return {
      canDecide: pause !== undefined && !this.talk.running.value && !this.#words.value.has(id),
      args: JSON.parse(calls.get(id) || "{}") as Record<string, unknown>,
      schema: pause?.responseSchema?.properties?.editedArgs?.properties ?? {},
    };
  }

  /** How many cards still wait for a word before the run goes on. */
  get missing(): number {
    const open = [...this.talk.conversation.value.pauses.keys()];
    return open.filter((id) => !this.#words.value.has(id)).length;
  }

  clear(): void {
    this.#words.value = new Map();
    this.#own.value = new Map();
    this.failure.value = null;
  }

  async decide(card: CardContent, word: Word): Promise<void> {
    const own = this.#own.value.get(card.actionId);
    if (own) return this.attempt(() => this.decideOwn(own, word));
    this.#words.value = new Map(this.#words.value).set(card.actionId, entry(card, word));
    if (this.missing > 0) return;
    const entries = [...this.talk.conversation.value.pauses.keys()].map((id) => this.#words.value.get(id));
    this.#words.value = new Map();
    this.talk.resume(entries.filter((one) => one !== undefined));
  }

  /** Asks for a card that would take it back. */
  async undo(actionId: string): Promise<void> {
    await this.attempt(async () => {
      const path = `/v1/actions/${encodeURIComponent(actionId)}/undo`;
      this.shown(await this.client.json<Approval>(path, { body: {} }));
    });
  }

  private async decideOwn(own: Approval, word: Word): Promise<void> {
    const id = encodeURIComponent(own.actionId);
    if (word.verdict === "drop") await this.client.json(`/v1/actions/${id}/cancel`, { body: {} });
    else {
      const { verdict, ...more } = word as { verdict: string; edited?: unknown; always?: boolean };
      const body = { digest: own.digest, decision: verdict, editedArgs: more.edited, always: more.always };
      const next = await this.client.json<Approval>(`/v1/approvals/${id}/decision`, { body });
      if (next.actionId !== own.actionId) this.shown(next);
    }
    const left = new Map(this.#own.value);
    left.delete(own.actionId);
    this.#own.value = left;
    await this.refresh(own.actionId);
    if (own.undoes) await this.refresh(own.undoes);
  }

  private shown(approval: Approval): void {
    this.#own.value = new Map(this.#own.value).set(approval.actionId, approval);
    this.talk.tell(approval.actionId, { card: approval });
  }

  private async refresh(actionId: string): Promise<void> {
    const path = `/v1/actions/${encodeURIComponent(actionId)}`;
    const found = await this.client.json<Result & { card: CardContent }>(path);
    this.talk.tell(actionId, { card: found.card, result: found });
  }

  private async attempt(work: () => Promise<void>): Promise<void> {
    this.failure.value = null;
    try {
      await work();
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      this.failure.value = error;
    }
  }
}

function entry({ actionId, digest }: CardContent, word: Word): ResumeEntry {
  if (word.verdict === "drop") return { interruptId: actionId, status: "cancelled" };
  const payload: Record<string, unknown> = { approved: word.verdict === "approve", digest };
  if (word.verdict === "approve" && word.edited) payload.editedArgs = word.edited;
  if (word.verdict === "approve" && word.always) payload.always = true;
  return { interruptId: actionId, status: "resolved", payload };
}
