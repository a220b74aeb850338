import type { Client } from "../client/client";
import { Problem } from "../client/problem";

export type Props = Readonly<Record<string, string | number | boolean | null>>;

interface Message {
  type: "track" | "page";
  messageId: string;
  timestamp: string;
  event?: string;
  properties: Props;
  context: { locale: string; timezone: string; page: { path: string } };
}

/** Where messages wait that nobody has acknowledged. */
export interface Kept {
  get events(): string | null;
  set events(text: string | null);
}

const WAIT_MS = 2_000;
const BATCH = 50;
const MOST = 200; // what waits beyond that is the oldest's loss
const PATH_MOST = 200;

/** Product events of whoever is signed in, in batches, each under its own id until it is taken. */
export class Sender {
  #waiting: Message[];
  #timer: ReturnType<typeof setTimeout> | null = null;
  #sending = false;

  constructor(
    private readonly client: Client,
    private readonly kept: Kept,
  ) {
    this.#waiting = JSON.parse(kept.events ?? "[]") as Message[];
    if (this.#waiting.length > 0) this.soon();
  }

  track(event: string, properties: Props = {}): void {
    this.add({ ...message("track", properties), event });
  }

  page(properties: Props): void {
    this.add(message("page", properties));
  }

  /** Everything that waits, now; what is not taken waits on. */
  async flush(): Promise<void> {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#sending || this.#waiting.length === 0) return;
    this.#sending = true;
    const batch = this.#waiting.slice(0, BATCH);
    try {
      await this.client.json("/v1/batch", { body: { batch, sentAt: new Date().toISOString() }, keepalive: true });
      this.drop(batch);
    } catch (error) {
      if (!(error instanceof Problem)) return; // the page is going; the next one sends it
      if (!error.passes) this.drop(batch);
    } finally {
      this.#sending = false;
      if (this.#waiting.length > 0) this.soon();
    }
  }

  stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#waiting = [];
    this.kept.events = null;
  }

  private add(one: Message): void {
    this.#waiting = [...this.#waiting, one].slice(-MOST);
    this.keep();
    this.soon();
  }

  private drop(batch: readonly Message[]): void {
    this.#waiting = this.#waiting.filter((one) => !batch.includes(one));
    this.keep();
  }

  private keep(): void {
    this.kept.events = this.#waiting.length > 0 ? JSON.stringify(this.#waiting) : null;
  }

  private soon(): void {
    this.#timer ??= setTimeout(() => void this.flush(), WAIT_MS);
  }
}

function message(type: Message["type"], properties: Props): Message {
  return {
    type,
    messageId: crypto.randomUUID(),
    timestamp: new Date().toISOString(),
    properties,
    context: {
      locale: navigator.language,
      timezone: Intl.DateTimeFormat().resolvedOptions().timeZone,
      page: { path: location.pathname.slice(0, PATH_MOST) },
    },
  };
}
