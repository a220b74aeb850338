import type { Event, ResumeEntry } from "@ag-ui/core";
import { computed, signal } from "@preact/signals";

import type { Client } from "../client/client";
import { Problem } from "../client/problem";
import type { OnEvent, RunInput } from "../client/stream";
import { join, run, watch } from "../client/stream";
import type { Conversation } from "./conversation";
import { apply, empty, known, put } from "./conversation";
import type { Asked, Storage } from "./storage";
import type { Message } from "./types";

/** Why nothing came, and what would ask again. */
export interface Failure {
  problem: Problem;
  again: () => void;
}

type Reading = (onEvent: OnEvent, onLost: () => void) => Promise<string | null>;

/** The conversation that is open, and the run that is under way in it. */
export class Talk {
  readonly conversation = signal<Conversation>(empty(newId("t")));
  readonly running = signal(false);
  readonly lost = signal(false);
  readonly failure = signal<Failure | null>(null);
  readonly messages = computed<readonly Message[]>(() => [...this.conversation.value.messages.values()]);
  #watching: AbortController | null = null;

  /** `heard` is told every event, after it is shown. */
  constructor(
    private readonly client: Client,
    private readonly storage: Storage,
    private readonly heard: (event: Event) => void,
  ) {}

  /** Whether cards wait for a word: until then nothing else can be asked. */
  get isPaused(): boolean {
    return this.conversation.value.pauses.size > 0;
  }

  ask(text: string): void {
    const said = text.trim();
    if (said !== "" && !this.running.value && !this.isPaused) void this.send({ id: newId("u"), text: said });
  }

  /** Words on all open cards. */
  resume(entries: ResumeEntry[]): void {
    if (this.running.value) return;
    const input = { ...this.input([]), resume: entries };
    void this.follow(
      (...on) => run(this.client, input, ...on),
      () => this.resume(entries),
    );
  }

  begin(): void {
    this.stop();
    this.storage.thread = this.storage.outbox = null;
    this.failure.value = null;
    this.conversation.value = empty(newId("t"));
  }

  /** The conversation of last time, with what has happened in it since. */
  async restore(): Promise<void> {
    const threadId = this.storage.thread;
    if (threadId === null) return;
    const waiting = this.storage.outbox;
    try {
      const stored = await this.client.json<Restored>(`/v1/conversations/${encodeURIComponent(threadId)}`);
      this.conversation.value = stored.messages.reduce(put, empty(threadId));
      if (stored.running || this.client.signedIn) await this.rejoin(threadId);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      if (error.passes) return this.fail(error, () => void this.restore());
      if (waiting === null) return this.begin(); // it is gone, or somebody else's
      this.conversation.value = empty(threadId);
    }
    if (waiting !== null && !this.conversation.value.messages.has(waiting.id)) await this.send(waiting);
    else this.storage.outbox = null;
  }

  /** What is known of an action otherwise than by a run. */
  tell(actionId: string, news: Partial<Message>): void {
    this.conversation.value = known(this.conversation.value, actionId, news);
  }

  stop(): void {
    this.#watching?.abort();
    this.#watching = null;
  }

  private async send(asked: Asked): Promise<void> {
    const message = { id: asked.id, role: "user" as const, content: asked.text };
    this.storage.outbox = asked;
    this.conversation.value = put(this.conversation.value, message);
    this.storage.thread = this.conversation.value.threadId;
    const input = this.input([message]);
    await this.follow(
      (...on) => run(this.client, input, ...on),
      () => void this.send(asked),
    );
  }

  private rejoin(threadId: string): Promise<void> {
    return this.follow(
      (...on) => join(this.client, threadId, ...on),
      () => void this.rejoin(threadId),
    );
  }

  private input(messages: RunInput["messages"]): RunInput {
    return { threadId: this.conversation.value.threadId, runId: newId("r"), messages, context: [] };
  }

  /** One run, however it is reached. */
  private async follow(reading: Reading, again: () => void): Promise<void> {
    this.stop();
    this.failure.value = null;
    this.running.value = true;
    try {
      const cursor = await reading(this.take, () => (this.lost.value = true));
      this.storage.outbox = null;
      const { error } = this.conversation.value;
      if (error) this.fail(new Problem(200, error.code, error.message), again);
      this.followLater(cursor);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      this.fail(error, again);
    } finally {
      this.running.value = this.lost.value = false;
    }
  }

  /** The end of an action, somebody else's decision: what is told without asking. */
  private followLater(cursor: string | null): void {
    if (!this.client.signedIn) return;
    this.#watching = new AbortController();
    const { threadId } = this.conversation.value;
    void watch(this.client, threadId, cursor, this.take, this.#watching.signal);
  }

  private readonly take = (event: Event): void => {
    this.lost.value = false;
    this.conversation.value = apply(this.conversation.value, event);
    this.heard(event);
  };

  private fail(problem: Problem, again: () => void): void {
    this.failure.value = { problem, again };
  }
}

interface Restored {
  messages: Parameters<typeof put>[1][];
  running: boolean;
}

export function newId(kind: string): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return kind + Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
