import "./define";

import type { EmbarkCopilot } from "./element";
import type { Props } from "./events/sender";
import type { Listener, Options, WidgetEvent } from "./options";

export interface Base {
  apiBase: string;
  workspace: string;
}

type Command = [name: string, ...rest: unknown[]];

/** Takes the commands of the queue, those from before it was there first. */
export function serve(waiting: readonly Command[], base: Base): (...command: Command) => void {
  const commands = new Commands(base);
  for (const command of waiting) commands.take(command);
  return (...command) => commands.take(command);
}

class Commands {
  #element: EmbarkCopilot | null = null;
  readonly #listeners = new Map<string, Set<Listener>>();

  constructor(private readonly base: Base) {}

  /** The host's page goes on, whatever it asks for. */
  take([name, ...rest]: Command): void {
    try {
      this.run(name, rest);
    } catch (error) {
      console.error(`embark: ${name}`, error);
    }
  }

  private run(name: string, [first, second]: unknown[]): void {
    const app = this.#element?.app;
    switch (name) {
      case "boot":
        return this.boot((first ?? {}) as Options);
      case "update":
        return app?.update((first ?? {}) as Options);
      case "shutdown":
        return this.shutdown();
      case "show":
        return app?.show(true);
      case "hide":
        return app?.show(false);
      case "open":
        app?.show(true);
        return typeof first === "string" ? app?.ask(first) : undefined;
      case "track":
        return app?.track(String(first), (second ?? {}) as Props);
      case "showChecklist":
        return app?.show(true);
      case "setLocale":
        return app?.update({ locale: String(first) });
      case "setTheme":
        return app?.update({ theme: first as NonNullable<Options["theme"]> });
      case "on":
        return this.on(first as WidgetEvent, second as Listener);
      case "off":
        return this.off(first as WidgetEvent, second as Listener);
      default:
        throw new Error("there is no such command");
    }
  }

  private boot(options: Options): void {
    if (this.#element !== null) return;
    const found = document.querySelector<EmbarkCopilot>("embark-copilot");
    const element = found ?? document.body.appendChild(document.createElement("embark-copilot") as EmbarkCopilot);
    this.#element = element;
    for (const [name, listeners] of this.#listeners)
      for (const listener of listeners) listen(element, name, listener);
    element.boot({ ...this.base, ...options });
  }

  private shutdown(): void {
    const element = this.#element;
    this.#element = null;
    void element?.end(true).finally(() => element.remove());
  }

  private on(name: WidgetEvent, listener: Listener): void {
    const known = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, known.add(listener));
    if (this.#element) listen(this.#element, name, listener);
  }

  private off(name: WidgetEvent, listener: Listener): void {
    this.#listeners.get(name)?.delete(listener);
    const handler = handlers.get(listener);
    if (handler) this.#element?.removeEventListener(`embark-${name}`, handler);
  }
}

const handlers = new WeakMap<Listener, EventListener>();

function listen(element: EmbarkCopilot, name: string, listener: Listener): void {
  const known = handlers.get(listener) ?? ((event: Event) => listener((event as CustomEvent).detail));
  handlers.set(listener, known);
  element.addEventListener(`embark-${name}`, known);
}
