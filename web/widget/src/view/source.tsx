import { useEffect, useRef, useState } from "preact/hooks";

import { useApp } from "../app";
import { Problem } from "../client/problem";
import texts from "../i18n/en.source.json";
import { teach } from "../i18n/words";
import type { Citation } from "../state/types";
import { Icon } from "./icons";
import { Markdown } from "./markdown";
import { mark } from "./marking";

teach(texts);

interface Passage {
  text: string;
  headingPath: string[];
  docVersion: string;
}

/** The stored passage with the quote marked, and the way to the page. */
export function Source({ citation }: { citation: Citation }) {
  const app = useApp();
  const { words } = app;
  const passage = usePassage(citation);
  const title = useRef<HTMLHeadingElement>(null);
  const text = useRef<HTMLDivElement>(null);
  const holds = typeof passage === "object" && passage.text.includes(citation.quote);
  useEffect(() => title.current?.focus(), [citation]);
  useEffect(() => {
    if (holds && text.current) mark(text.current, citation.quote);
    text.current?.querySelector("mark")?.scrollIntoView({ block: "center" });
  }, [holds, citation]);
  const place = words.value.say("source", { marker: citation.marker });
  const heading = typeof passage === "object" ? passage.headingPath.join(" › ") : "";
  return (
    <section class="source" aria-labelledby="source-title">
      <button type="button" class="plain" onClick={() => (app.view.value = { name: "talk" })}>
        <Icon name="back" /> {words.value.say("back")}
      </button>
      <p class="place">{heading ? `${place}: ${heading}` : place}</p>
      <h3 id="source-title" tabIndex={-1} ref={title} dir="auto">
        {citation.title}
      </h3>
      <div ref={text} class="text" dir="auto" key={holds ? "passage" : "quote"}>
        {holds ? (
          <Markdown text={passage.text} />
        ) : (
          <blockquote>
            <mark>{citation.quote}</mark>
          </blockquote>
        )}
      </div>
      <p class="note">{useNote(passage, holds, citation)}</p>
      <a href={address(citation, app.client.base)} target="_blank" rel="noopener noreferrer">
        {words.value.say("openPage")}
      </a>
    </section>
  );
}

type Found = Passage | "loading" | "missing";

function usePassage(citation: Citation): Found {
  const { client } = useApp();
  const [found, setFound] = useState<Found>("loading");
  useEffect(() => {
    let isShown = true;
    const put = (passage: Found) => isShown && setFound(passage);
    client
      .json<Passage>(`/v1/passages/${encodeURIComponent(citation.chunkId)}`)
      .then(put)
      .catch((error: unknown) => {
        if (!(error instanceof Problem)) throw error;
        put("missing");
      });
    return () => {
      isShown = false;
    };
  }, [citation, client]);
  return found;
}

function useNote(passage: Found, holds: boolean, citation: Citation): string {
  const { words } = useApp();
  if (passage === "loading") return "";
  if (passage === "missing") return words.value.say("onlyQuote");
  if (!holds) return words.value.say("changedGone");
  const version = words.value.say("version", { version: passage.docVersion });
  const isSame = passage.docVersion === citation.docVersion;
  return isSame ? version : `${version} ${words.value.say("changedStill")}`;
}

/** Our own pages mark the quote themselves; elsewhere the browser's text fragment does. */
function address(citation: Citation, base: string): string {
  const url = new URL(citation.url, base);
  if (!["http:", "https:"].includes(url.protocol)) return base;
  if (url.origin === new URL(base).origin) url.searchParams.set("quote", citation.quote);
  return url.href;
}
