import { useEffect, useRef } from "preact/hooks";

import type { App, View } from "../app";
import { AppContext, useApp } from "../app";
import type { Citation } from "../state/types";
import { Composer } from "./composer";
import { Icon } from "./icons";
import { later } from "./lazy";
import { Log } from "./log";

const Source = later(
  () => import("./source").then((part) => part.Source),
  ({ citation }: { citation: Citation }) => citation.title,
);

const Bubble = later(
  () => import("../tour/bubble").then((part) => part.Bubble),
  () => "",
);
const Privacy = later(
  () => import("./privacy").then((part) => part.Privacy),
  () => "",
);

export function Widget({ app, hideLauncher }: { app: App; hideLauncher: boolean }) {
  const isOpen = app.isOpen.value;
  const launcher = useRef<HTMLButtonElement>(null);
  const wasOpen = useRef(isOpen);
  useEffect(() => {
    if (wasOpen.current && !isOpen) launcher.current?.focus({ preventScroll: true });
    wasOpen.current = isOpen;
  }, [isOpen]);
  const { words } = app;
  const guide = app.guides.guide.value;
  return (
    <AppContext.Provider value={app}>
      {isOpen && <Panel />}
      {guide && <Bubble guide={guide} stop={app.guides.stop.value} />}
      {!hideLauncher && (
        <button
          type="button"
          ref={launcher}
          class="launcher"
          part="launcher"
          aria-expanded={isOpen}
          aria-controls="panel"
          aria-label={words.value.say(isOpen ? "close" : "launch")}
          onClick={() => app.show(!isOpen)}
        >
          <Icon name={isOpen ? "close" : "launch"} />
        </button>
      )}
    </AppContext.Provider>
  );
}

function Panel() {
  const app = useApp();
  const { words } = app;
  const view = app.view.value;
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== "Escape") return;
    event.stopPropagation();
    if (view.name === "talk") app.show(false);
    else app.view.value = { name: "talk" };
  };
  return (
    <div
      id="panel"
      part="panel"
      class="panel"
      role="dialog"
      aria-modal="false"
      aria-labelledby="title"
      lang={words.value.locale}
      dir={words.value.direction}
      onKeyDown={onKeyDown}
    >
      <header class="top">
        <div>
          <h2 id="title">{words.value.say("title")}</h2>
          <p>{words.value.say("disclosure")}</p>
        </div>
        {app.client.signedIn && (
          <button
            type="button"
            class="plain icon"
            aria-label={words.value.say("privacy")}
            onClick={() => (app.view.value = { name: "privacy" })}
          >
            <Icon name="privacy" />
          </button>
        )}
        <button type="button" class="plain icon" aria-label={words.value.say("fresh")} onClick={() => app.busy.value || app.begin()}>
          <Icon name="fresh" />
        </button>
        <button type="button" class="plain icon" aria-label={words.value.say("close")} onClick={() => app.show(false)}>
          <Icon name="close" />
        </button>
      </header>
      <Body view={view} />
    </div>
  );
}

function Body({ view }: { view: View }) {
  switch (view.name) {
    case "source":
      return <Source citation={view.citation} />;
    case "privacy":
      return <Privacy />;
    default:
      return (
        <>
          <Log />
          <Composer />
        </>
      );
  }
}
