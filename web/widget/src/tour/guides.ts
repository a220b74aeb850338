import { signal } from "@preact/signals";

import type { Client } from "../client/client";
import { Problem } from "../client/problem";
import type { Did, Guide } from "./types";

const PATH = "/v1/me/guides";
const AGAIN_MS = 30_000; // after somebody was busy

/** What applies on the page that is open: at most one, and how far its reader is with it. */
export class Guides {
  readonly guide = signal<Guide | null>(null);
  readonly stop = signal(0);
  #seen = false;
  #timer: ReturnType<typeof setTimeout> | null = null;

  constructor(private readonly client: Client) {}

  /** Asked when a page opens. Where nobody is guided nothing is shown. */
  async look(): Promise<void> {
    if (this.#timer !== null) clearTimeout(this.#timer);
    const path = `${PATH}?page=${encodeURIComponent(location.pathname)}`;
    const found = await this.client.json<{ paused: string | null; guides: Guide[] }>(path).catch(nothing);
    if (found.paused !== null) this.#timer = setTimeout(() => void this.look(), AGAIN_MS);
    const [first = null] = found.guides;
    this.stop.value = first?.stop ?? 0;
    this.#seen = false;
    this.guide.value = first;
  }

  /** Its element is there, so that it is really seen. */
  seen(): void {
    if (this.#seen) return;
    this.#seen = true;
    void this.tell({ did: "shown" });
  }

  next(): void {
    const { value: guide } = this.guide;
    if (guide === null) return;
    const reached = this.stop.value + 1;
    if (reached >= guide.stops.length) return this.end("done");
    this.stop.value = reached;
    void this.tell({ did: "reached", stop: reached });
  }

  back(): void {
    this.stop.value = Math.max(0, this.stop.value - 1);
  }

  end(did: "done" | "dismissed"): void {
    void this.tell({ did });
    this.guide.value = null;
  }

  close(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.guide.value = null;
  }

  private async tell(did: Did): Promise<void> {
    const guide = this.guide.peek();
    if (guide) await this.client.json(`${PATH}/${encodeURIComponent(guide.guide)}`, { body: did }).catch(nothing);
  }
}

function nothing(error: unknown): { paused: null; guides: Guide[] } {
  if (!(error instanceof Problem)) throw error;
  return { paused: null, guides: [] };
}
