import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";

import { useApp } from "../app";
import texts from "../i18n/en.tour.json";
import { teach } from "../i18n/words";
import type { Place } from "./placing";
import { placeOf, targetOf } from "./placing";
import type { Guide, Stop } from "./types";

teach(texts);

const APPEAR_MS = 5_000; // for how long an element that is not there yet is waited for

/** A tooltip, or one place of a walkthrough, beside what it is about. */
export function Bubble({ guide, stop }: { guide: Guide; stop: number }) {
  const { guides, words } = useApp();
  const own = useRef<HTMLDivElement>(null);
  const here: Stop = guide.stops[stop] ?? guide;
  const target = useTarget(here.selector);
  const place = usePlace(target, own.current);
  const isTour = guide.stops.length > 0;
  useEffect(() => {
    if (target) guides.seen();
  }, [guide, target]);
  if (!target) return null;
  const progress = words.value.say("tourPlace", { place: stop + 1, of: guide.stops.length });
  return (
    <>
      <Ring target={target} />
      <div
        ref={own}
        class="bubble"
        part="bubble"
        role="dialog"
        aria-modal="false"
        aria-label={guide.title}
        tabIndex={-1}
        lang={words.value.locale}
        dir={words.value.direction}
        style={{ left: `${place.left}px`, top: `${place.top}px` }}
        onKeyDown={(event) => event.key === "Escape" && guides.end("dismissed")}
      >
        <div role="status">
          <h2 dir="auto">{guide.title}</h2>
          <p dir="auto">{here.text}</p>
        </div>
        {guide.video && (
          <p>
            <a href={new URL(guide.video.file, location.href).href} target="_blank" rel="noopener noreferrer">
              {words.value.say("tourWatch", { seconds: guide.video.seconds })}
            </a>
          </p>
        )}
        {guide.video && <Words label={words.value.say("tourTranscript")} lines={[guide.video.transcript]} />}
        {isTour && <Words label={words.value.say("tourList")} lines={guide.stops.map((one) => one.text)} />}
        <div class="choices">
          {isTour && stop > 0 && (
            <button type="button" onClick={() => guides.back()}>
              {words.value.say("tourBack")}
            </button>
          )}
          {isTour && (
            <button type="button" class="primary" onClick={() => guides.next()}>
              {words.value.say(stop + 1 < guide.stops.length ? "tourNext" : "tourDone")}
            </button>
          )}
          {!isTour && (
            <button type="button" class="primary" onClick={() => guides.end("done")}>
              {words.value.say("tourGotIt")}
            </button>
          )}
          <button type="button" class="plain" onClick={() => guides.end("dismissed")}>
            {words.value.say("tourSkip")}
          </button>
          {isTour && <small>{progress}</small>}
        </div>
      </div>
    </>
  );
}

/** The same in words, for whoever cannot see where it points. */
function Words({ label, lines }: { label: string; lines: string[] }) {
  return (
    <details>
      <summary>{label}</summary>
      <ol>
        {lines.map((line) => (
          <li dir="auto">{line}</li>
        ))}
      </ol>
    </details>
  );
}

function Ring({ target }: { target: HTMLElement }) {
  const { left, top, width, height } = useRect(target);
  const box = { left: `${left - 4}px`, top: `${top - 4}px`, width: `${width + 8}px`, height: `${height + 8}px` };
  return <div class="ring" aria-hidden="true" style={box} />;
}

/** Waited for, and scrolled clear once it is there. */
function useTarget(selector: string): HTMLElement | null {
  const [target, setTarget] = useState(() => targetOf(selector));
  useEffect(() => {
    const ends = Date.now() + APPEAR_MS;
    const look = () => {
      const found = targetOf(selector);
      setTarget(found);
      if (found) found.scrollIntoView({ block: "nearest", inline: "nearest" });
      if (found || Date.now() > ends) clearInterval(timer);
    };
    const timer = setInterval(look, 200);
    look();
    return () => clearInterval(timer);
  }, [selector]);
  return target;
}

function useRect(target: HTMLElement | null): DOMRect {
  const [rect, setRect] = useState(() => target?.getBoundingClientRect() ?? new DOMRect());
  useEffect(() => {
    if (target === null) return;
    const look = () => setRect(target.getBoundingClientRect());
    const sizes = new ResizeObserver(look);
    sizes.observe(target);
    sizes.observe(document.documentElement);
    addEventListener("scroll", look, { passive: true, capture: true });
    look();
    return () => {
      sizes.disconnect();
      removeEventListener("scroll", look, { capture: true });
    };
  }, [target]);
  return rect;
}

function usePlace(target: HTMLElement | null, own: HTMLElement | null): Place {
  const rect = useRect(target);
  const [place, setPlace] = useState<Place>({ left: 0, top: 0 });
  useLayoutEffect(() => {
    if (own === null || target === null) return;
    const size = { width: own.offsetWidth, height: own.offsetHeight };
    setPlace(placeOf(rect, size, { width: innerWidth, height: innerHeight }));
  }, [rect, own, target]);
  return place;
}
