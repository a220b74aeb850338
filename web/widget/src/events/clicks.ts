import { elementOf, nameOf } from "./naming";
import type { Sender } from "./sender";

const RAGE = 3; // clicks within RAGE_MS and RADIUS_PX (onboarding reference, 10)
const RAGE_MS = 1_000;
const RADIUS_PX = 30;
const DEAD_MS = 2_500;
const IGNORED = "[role=spinbutton],input[type=number],video,audio,[data-embark-ignore]";

interface Click {
  at: number;
  x: number;
  y: number;
}

/** Quick clicks on one spot, and clicks that change nothing. */
export function watchClicks(sender: Sender, ends: AbortSignal): void {
  let burst: Click[] = [];
  let told = false;
  const onClick = (event: MouseEvent) => {
    const element = elementOf(event);
    if (element === null || !event.isTrusted || element.closest(IGNORED)) return;
    const click = { at: event.timeStamp, x: event.clientX, y: event.clientY };
    const near = burst.filter((one) => click.at - one.at <= RAGE_MS && distance(one, click) <= RADIUS_PX);
    if (near.length === 0) told = false;
    burst = [...near, click];
    if (burst.length >= RAGE && !told) {
      told = true;
      sender.track("rage_click", { element: nameOf(element), clicks: burst.length });
    }
    if (looksClickable(element)) watchAnswer(element, sender, ends);
  };
  addEventListener("click", onClick, { capture: true, passive: true, signal: ends });
}

/** Nothing on the page, in its address or in its focus changes after it: nobody answered. */
function watchAnswer(element: Element, sender: Sender, ends: AbortSignal): void {
  const before = { address: location.href, focus: document.activeElement, scroll: scrollY, open: document.hasFocus() };
  let answered = false;
  const watcher = new MutationObserver(() => {
    answered = true;
    watcher.disconnect();
  });
  const all = { subtree: true, childList: true, attributes: true, characterData: true };
  watcher.observe(document.documentElement, all);
  const timer = setTimeout(() => {
    watcher.disconnect();
    const moved =
      location.href !== before.address ||
      document.activeElement !== before.focus ||
      scrollY !== before.scroll ||
      document.hasFocus() !== before.open;
    if (!answered && !moved) sender.track("dead_click", { element: nameOf(element), clicks: 1 });
  }, DEAD_MS);
  ends.addEventListener("abort", () => {
    clearTimeout(timer);
    watcher.disconnect();
  });
}

function looksClickable(element: Element): boolean {
  if (element.closest("a[href],button,[role=button],[role=link],[onclick],summary")) return true;
  return getComputedStyle(element).cursor === "pointer";
}

function distance(one: Click, other: Click): number {
  return Math.hypot(one.x - other.x, one.y - other.y);
}
