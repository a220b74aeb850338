import type { Client } from "../client/client";
import { watchClicks } from "./clicks";
import { watchForms } from "./forms";
import { Pages } from "./pages";
import type { Kept, Props } from "./sender";
import { Sender } from "./sender";

/** What is seen of a page while its user allows to be followed, and not a moment longer. */
export class Watching {
  readonly #sender: Sender;
  readonly #ended = new AbortController();

  /** `opened` hears of each page but the first. */
  constructor(client: Client, kept: Kept, opened: () => void) {
    this.#sender = new Sender(client, kept);
    const pages = new Pages(this.#sender, opened, this.#ended.signal);
    watchClicks(this.#sender, this.#ended.signal);
    watchForms(this.#sender, pages.onLeft, this.#ended.signal);
  }

  track(event: string, properties: Props): void {
    this.#sender.track(event, properties);
  }

  /** What waits is not sent any more. */
  stop(): void {
    this.#ended.abort();
    this.#sender.stop();
  }
}
