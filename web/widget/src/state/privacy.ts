import { signal } from "@preact/signals";

import type { Client } from "../client/client";
import { Problem } from "../client/problem";
import { TEXT_VERSION } from "./steps";
import type { Mode } from "./types";

const LONG_MS = 60_000; // an export reads every store, an erasure writes every store

export interface Allowed {
  purpose: string;
  allowed: boolean;
}

export interface Fact {
  name: string;
  value: string;
  says: string;
  why: string[];
  source: string;
  used: boolean;
  choices: { value: string; label: string }[];
}

export interface Profile {
  personalised: boolean;
  facts: Fact[];
}

interface Erased {
  receipt: string;
}

/** What is kept and thought of the person, and their word on it. */
export class Privacy {
  readonly allowed = signal<readonly Allowed[]>([]);
  readonly profile = signal<Profile | null>(null);
  readonly failure = signal<Problem | null>(null);
  readonly erased = signal<string | null>(null); // id of the receipt

  constructor(private readonly client: Client) {}

  load(): Promise<void> {
    return this.attempt(async () => {
      const [consents, profile] = await Promise.all([
        this.client.json<{ allowed: Allowed[] }>("/v1/me/consents"),
        this.client.json<Profile>("/v1/me/profile").catch(missing),
      ]);
      this.allowed.value = consents.allowed;
      this.profile.value = profile;
    });
  }

  say(purpose: string, given: boolean): Promise<void> {
    return this.attempt(async () => {
      const body = { textVersion: TEXT_VERSION, channel: "widget", said: [{ purpose, given }] };
      const found = await this.client.json<{ allowed: Allowed[] }>("/v1/me/consents", { method: "PUT", body });
      this.allowed.value = found.allowed;
    });
  }

  personalise(on: boolean): Promise<void> {
    return this.told("/v1/me/personalisation", { method: "PUT", body: { on } });
  }

  correct(fact: string, value: string): Promise<void> {
    return this.told(`/v1/me/profile/${encodeURIComponent(fact)}`, { method: "PUT", body: { value } });
  }

  remove(fact: string): Promise<void> {
    return this.told(`/v1/me/profile/${encodeURIComponent(fact)}`, { method: "DELETE" });
  }

  setMode(mode: Mode): Promise<void> {
    return this.attempt(async () => {
      await this.client.json("/v1/me/mode", { method: "PUT", body: { mode } });
    });
  }

  /** Everything that is kept, as a file of JSON lines. */
  async export(): Promise<Blob | null> {
    let found: Blob | null = null;
    await this.attempt(async () => {
      const response = await this.client.open("/v1/me/export", { accept: "application/jsonl", patienceMs: LONG_MS });
      found = await response.blob();
    });
    return found;
  }

  erase(): Promise<void> {
    return this.attempt(async () => {
      const { receipt } = await this.client.json<Erased>("/v1/me", { method: "DELETE", patienceMs: LONG_MS });
      this.erased.value = receipt;
    });
  }

  private told(path: string, request: { method: string; body?: unknown }): Promise<void> {
    return this.attempt(async () => {
      this.profile.value = await this.client.json<Profile>(path, request);
    });
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

/** Where nobody is guided there is no profile. */
function missing(error: unknown): null {
  if (error instanceof Problem && error.status === 404) return null;
  throw error;
}
