import { computed, effect, signal } from "@preact/signals";
import { createContext } from "preact";
import { useContext } from "preact/hooks";

import { Client } from "./client/client";
import type { Problem } from "./client/problem";
import type { Props } from "./events/sender";
import type { Watching } from "./events/watching";
import type { Words } from "./i18n/words";
import { ENGLISH, wordsFor } from "./i18n/words";
import type { Options, Theme, WidgetEvent } from "./options";
import { Deeds } from "./state/deeds";
import { Privacy } from "./state/privacy";
import { Steps } from "./state/steps";
import { forget, Storage } from "./state/storage";
import { Talk } from "./state/talk";
import type { Citation } from "./state/types";
import { Guides } from "./tour/guides";

export type Tell = (event: WidgetEvent, detail?: unknown) => void;

/** What the panel shows: the conversation, or the source of a sentence above it. */
export type View = { name: "talk" } | { name: "source"; citation: Citation } | { name: "privacy" };

const CHANGES: ReadonlySet<string> = new Set(["STATE_SNAPSHOT", "STATE_DELTA", "RUN_FINISHED"]);

/** One widget on one page: everything that it knows, and nothing of how it looks. */
export class App {
  readonly client: Client;
  readonly talk: Talk;
  readonly steps: Steps;
  readonly deeds: Deeds;
  readonly privacy: Privacy;
  readonly guides: Guides;
  readonly isOpen = signal(false);
  readonly view = signal<View>({ name: "talk" });
  readonly words = signal<Words>(ENGLISH);
  readonly theme = signal<Theme>("auto");
  readonly isOnline = signal(navigator.onLine);
  readonly draft = signal("");
  readonly suggestions = signal<readonly string[]>([]);
  readonly busy = computed(() => this.talk.running.value);
  readonly #storage: Storage;
  #watching: Promise<Watching> | null = null;
  readonly #ended = new AbortController();

  constructor(
    options: Options & { apiBase: string },
    readonly tell: Tell,
  ) {
    this.#storage = new Storage(options.workspace ?? "", options.user ?? "");
    this.client = new Client(options.apiBase, options.getToken ?? null);
    this.talk = new Talk(this.client, this.#storage, (event) => {
      if (event.type === "TEXT_MESSAGE_END") tell("message", { id: event.messageId });
      if (CHANGES.has(event.type)) void this.steps.look();
    });
    this.steps = new Steps(this.client, this.#storage);
    this.deeds = new Deeds(this.client, this.talk);
    this.privacy = new Privacy(this.client);
    this.guides = new Guides(this.client);
    this.update(options);
    this.listen();
    effect(() => this.follow(this.steps.standing.value !== null));
    effect(() => this.failed(this.talk.failure.value?.problem ?? this.deeds.failure.value));
  }

  /** Reads what was kept; a panel that was open before a reload is open after it. */
  async start(): Promise<void> {
    const { signal: ends } = this.#ended;
    this.isOpen.value = this.#storage.isOpen;
    await Promise.all([this.talk.restore(), this.steps.look(), this.suggest()]);
    if (!ends.aborted) this.tell("ready");
  }

  update({ locale, theme }: Options): void {
    if (theme !== undefined) this.theme.value = theme;
    if (locale !== undefined) void wordsFor(locale).then((words) => this.speak(words));
  }

  private speak(words: Words): void {
    this.words.value = words;
    this.client.locale = words.locale;
  }

  show(open: boolean): void {
    if (open === this.isOpen.value) return;
    this.isOpen.value = this.#storage.isOpen = open;
    this.tell(open ? "open" : "close");
  }

  ask(text: string): void {
    this.view.value = { name: "talk" };
    this.talk.ask(text);
  }

  read(citation: Citation): void {
    this.view.value = { name: "source", citation };
    this.tell("citation", { url: citation.url, title: citation.title });
  }

  begin(): void {
    this.deeds.clear();
    this.talk.begin();
    this.view.value = { name: "talk" };
  }

  /** After an erasure nothing of before is shown or kept. */
  forget(): void {
    this.deeds.clear();
    this.talk.begin();
    this.steps.standing.value = this.steps.question.value = null;
    forget();
  }

  /** `logout`: nothing of the person stays in this browser. */
  async close(logout: boolean): Promise<void> {
    this.follow(false);
    this.#ended.abort();
    this.talk.stop();
    if (logout) forget();
    await this.client.close();
  }

  /** An event of the host's own; nothing where the person does not allow it. */
  track(event: string, properties: Props = {}): void {
    void this.#watching?.then((watching) => watching.track(event, properties));
  }

  /** While they allow it, and from the moment on. */
  private follow(allowed: boolean): void {
    const watching = this.#watching;
    if (allowed === (watching !== null) || this.#ended.signal.aborted) return;
    void watching?.then((one) => one.stop());
    if (allowed) void this.guides.look();
    else this.guides.close();
    this.#watching = allowed
      ? import("./events/watching").then((part) => new part.Watching(this.client, this.#storage, () => void this.guides.look()))
      : null;
  }

  private listen(): void {
    const once = { signal: this.#ended.signal };
    const online = (): void => {
      this.isOnline.value = navigator.onLine;
      if (navigator.onLine) this.talk.failure.value?.again();
    };
    addEventListener("online", online, once);
    addEventListener("offline", online, once);
    addEventListener("focus", () => void this.steps.look(), once);
  }

  private async suggest(): Promise<void> {
    const found = await this.client
      .json<{ suggestions: string[] }>("/v1/suggestions")
      .catch(() => ({ suggestions: [] }));
    this.suggestions.value = found.suggestions;
  }

  private failed(problem: Problem | null): void {
    if (problem) this.tell("error", { code: problem.code, status: problem.status });
  }
}

export const AppContext = createContext<App | null>(null);

export function useApp(): App {
  const app = useContext(AppContext);
  if (app === null) throw new Error("outside of a widget");
  return app;
}
