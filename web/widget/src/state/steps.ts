import { signal } from "@preact/signals";

import type { Client } from "../client/client";
import { Problem } from "../client/problem";
import type { Storage } from "./storage";
import type { NextCard, Standing } from "./types";

const PATH = "/v1/me/next-steps";
export const TEXT_VERSION = "widget-1";

export interface Question {
  id: string;
  asks: string;
  why: string;
  choices: { value: string; label: string }[];
}

export type Outcome =
  | { outcome: "clicked" | "another" | "never" }
  | { outcome: "snoozed"; snooze: "visit" | "1d" | "7d" };

/** Checklist and cards of the person, asked for when something may have changed them. */
export class Steps {
  readonly standing = signal<Standing | null>(null);
  readonly mayAsk = signal(false); // whether they allow to be guided
  readonly question = signal<Question | null>(null); // the one that would help most now

  constructor(
    private readonly client: Client,
    private readonly storage: Storage,
  ) {}

  /** A null `value` skips it; `never` for good. */
  async reply(question: Question, value: string | null, never = false): Promise<void> {
    this.question.value = null;
    const body = { value, never, session: this.storage.session };
    const path = `/v1/me/questions/${encodeURIComponent(question.id)}`;
    await this.client.json(path, { body }).catch(onlyProblems);
    await this.look();
  }

  /** Suggests again what was put off. */
  async unmute(action: string): Promise<void> {
    const path = `/v1/me/muted/${encodeURIComponent(action)}`;
    await this.shown(() => this.client.json<Standing>(path, { method: "DELETE" }));
  }

  /** Where nobody is guided, or not now, nothing is shown: the conversation goes on. */
  async look(): Promise<void> {
    if (this.client.signedIn) await this.shown(() => this.client.json<Standing>(PATH));
  }

  async say(card: NextCard, said: Outcome): Promise<void> {
    const path = `${PATH}/${encodeURIComponent(card.decision)}/${encodeURIComponent(card.action)}`;
    await this.shown(() => this.client.json<Standing>(path, { body: said }));
  }

  async allow(): Promise<void> {
    const said = [{ purpose: "product_analytics", given: true }];
    const body = { textVersion: TEXT_VERSION, channel: "widget", said };
    await this.client.json("/v1/me/consents", { method: "PUT", body });
    await this.look();
  }

  decline(): void {
    this.storage.declined = true;
    this.mayAsk.value = false;
  }

  private async shown(asked: () => Promise<Standing>): Promise<void> {
    try {
      const standing = await asked();
      this.standing.value = standing.guided ? standing : null;
      this.mayAsk.value = !standing.guided && !this.storage.declined;
      if (standing.guided) await this.lookForQuestion();
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      if (!error.passes) this.standing.value = null;
    }
  }

  private async lookForQuestion(): Promise<void> {
    const path = `/v1/me/questions?session=${encodeURIComponent(this.storage.session)}`;
    const found = await this.client.json<{ question: Question | null }>(path);
    this.question.value = found.question;
  }
}

function onlyProblems(error: unknown): void {
  if (!(error instanceof Problem)) throw error;
}
