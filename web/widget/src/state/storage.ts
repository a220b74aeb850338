/** What a page keeps of a person: which conversation, and what was asked while nobody answered. */
export interface Asked {
  id: string;
  text: string;
}

const PREFIX = "embark.";

/**
 * Of one workspace and one person: two people at one browser do not see each other's. A browser that
 * keeps nothing (private windows, full disks) is one that forgets.
 */
export class Storage {
  readonly #name: string;

  constructor(workspace: string, whose: string) {
    this.#name = `${PREFIX}${workspace}.${whose}.`;
  }

  get thread(): string | null {
    return read(localStorage, `${this.#name}thread`);
  }

  set thread(id: string | null) {
    write(localStorage, `${this.#name}thread`, id);
  }

  /** The question on its way, with its id: asked again under it, it is asked once. */
  get outbox(): Asked | null {
    const text = read(sessionStorage, `${this.#name}outbox`);
    return text === null ? null : (JSON.parse(text) as Asked);
  }

  set outbox(asked: Asked | null) {
    write(sessionStorage, `${this.#name}outbox`, asked === null ? null : JSON.stringify(asked));
  }

  /** Product events that nobody has acknowledged. */
  get events(): string | null {
    return read(sessionStorage, `${this.#name}events`);
  }

  set events(text: string | null) {
    write(sessionStorage, `${this.#name}events`, text);
  }

  get isOpen(): boolean {
    return read(sessionStorage, `${this.#name}open`) === "yes";
  }

  set isOpen(open: boolean) {
    write(sessionStorage, `${this.#name}open`, open ? "yes" : null);
  }

  /** One visit: as long as this tab is open. */
  get session(): string {
    const known = read(sessionStorage, `${this.#name}session`) ?? crypto.randomUUID();
    write(sessionStorage, `${this.#name}session`, known);
    return known;
  }

  /** "Not now", for as long as this tab is open. */
  get declined(): boolean {
    return read(sessionStorage, `${this.#name}declined`) === "yes";
  }

  set declined(said: boolean) {
    write(sessionStorage, `${this.#name}declined`, said ? "yes" : null);
  }
}

/** Everything that any widget kept here: on logout. */
export function forget(): void {
  for (const area of [() => localStorage, () => sessionStorage]) {
    try {
      const kept = area();
      const ours = Object.keys(kept).filter((name) => name.startsWith(PREFIX));
      for (const name of ours) kept.removeItem(name);
    } catch {
      // a browser that lets nothing be kept has nothing to forget
    }
  }
}

function read(area: globalThis.Storage, name: string): string | null {
  try {
    return area.getItem(name);
  } catch {
    return null;
  }
}

function write(area: globalThis.Storage, name: string, value: string | null): void {
  try {
    if (value === null) area.removeItem(name);
    else area.setItem(name, value);
  } catch {
    // what is not kept is asked for again after a reload
  }
}
