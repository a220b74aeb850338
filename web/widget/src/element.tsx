import { effect } from "@preact/signals";
import { render } from "preact";

import { App } from "./app";
import type { Options, WidgetEvent } from "./options";
import { sheets } from "./style/sheets";
import { Widget } from "./view/panel";

/**
 * `<embark-copilot>`. Nothing of it is in the host's document but the element itself: its shadow
 * root holds the rest, styled by constructed sheets, so that no style attribute meets the host's
 * policy.
 */
export class EmbarkCopilot extends HTMLElement {
  #app: App | null = null;
  #root: ShadowRoot | null = null;
  #unwatch: (() => void) | null = null;

  get app(): App | null {
    return this.#app;
  }

  /** Once; a second time does nothing. */
  boot(options: Options & { apiBase: string }): void {
    if (this.#app !== null) return;
    const app = new App(options, (event, detail) => this.#tell(event, detail));
    this.#app = app;
    this.#root ??= this.attachShadow({ mode: "open" });
    this.#root.adoptedStyleSheets = sheets();
    this.dataset.position = options.position ?? "end";
    if (options.zIndex !== undefined) this.style.zIndex = String(options.zIndex);
    this.#unwatch = effect(() => {
      this.dataset.theme = app.theme.value;
    });
    render(<Widget app={app} hideLauncher={options.hideLauncher ?? false} />, this.#root);
    void app.start();
  }

  /** What is shown goes away; `logout` also forgets what this browser kept. */
  async end(logout: boolean): Promise<void> {
    const app = this.#app;
    if (app === null || this.#root === null) return;
    this.#app = null;
    this.#unwatch?.();
    render(null, this.#root);
    await app.close(logout);
  }

  #tell(event: WidgetEvent, detail: unknown): void {
    this.dispatchEvent(new CustomEvent(`embark-${event}`, { detail, bubbles: true, composed: true }));
  }
}
