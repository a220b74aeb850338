import type { Sender } from "./sender";

const IDLE_MS = 30_000;
const PATH_MOST = 200;

/**
 * Which pages were open, and how a visit of each went, told once when it ends: no paths of the
 * pointer. Also knows when a page is left, for whoever wants to tell something then.
 */
export class Pages {
  #left: (() => void)[] = [];
  #visit: Visit;
  #path = location.pathname;

  constructor(
    private readonly sender: Sender,
    private readonly opened: () => void,
    private readonly ends: AbortSignal,
  ) {
    this.#visit = new Visit();
    this.open();
    this.listen();
  }

  readonly onLeft = (work: () => void): void => {
    this.#left.push(work);
  };

  private open(): void {
    this.#path = location.pathname;
    this.#visit = new Visit();
    this.sender.page({ path: this.#path.slice(0, PATH_MOST) });
  }

  private leave(): void {
    for (const work of this.#left) work();
    this.sender.track("page_dwelt", this.#visit.told());
  }

  private moved(): void {
    if (location.pathname === this.#path) return;
    this.leave();
    this.open();
    this.opened();
  }

  private listen(): void {
    const options = { passive: true, signal: this.ends };
    const seen = () => this.#visit.seen();
    for (const name of ["pointermove", "keydown", "pointerdown"]) addEventListener(name, seen, options);
    addEventListener("scroll", () => this.#visit.scrolled(), options);
    addEventListener("blur", () => this.#visit.blurred(), options);
    addEventListener("popstate", () => this.moved(), options);
    addEventListener("pagehide", () => this.gone(), options);
    // pages that change their address by script tell nobody: it is looked at when something is done
    addEventListener("click", () => setTimeout(() => this.moved(), 500), options);
  }

  private gone(): void {
    this.leave();
    void this.sender.flush();
  }
}

class Visit {
  readonly #began = performance.now();
  #last = performance.now();
  #idle = 0;
  #depth = 0;
  #top = scrollY;
  #direction = 0;
  #turns = 0;
  #blurs = 0;

  seen(): void {
    const now = performance.now();
    if (now - this.#last > IDLE_MS) this.#idle += now - this.#last;
    this.#last = now;
  }

  scrolled(): void {
    const height = document.documentElement.scrollHeight || 1;
    this.#depth = Math.max(this.#depth, Math.min(1, (scrollY + innerHeight) / height));
    const direction = Math.sign(scrollY - this.#top);
    if (direction !== 0 && this.#direction !== 0 && direction !== this.#direction) this.#turns += 1;
    if (direction !== 0) this.#direction = direction;
    this.#top = scrollY;
    this.seen();
  }

  blurred(): void {
    this.#blurs += 1;
  }

  told(): Record<string, number> {
    this.seen();
    return {
      dwell_s: seconds(performance.now() - this.#began),
      idle_s: seconds(this.#idle),
      scroll_depth: Number(this.#depth.toFixed(2)),
      direction_changes: this.#turns,
      focus_blur: this.#blurs,
    };
  }
}

function seconds(milliseconds: number): number {
  return Math.min(86_400, Number((milliseconds / 1000).toFixed(1)));
}
