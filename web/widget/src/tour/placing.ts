const GAP_PX = 10;
const EDGE_PX = 8;

export interface Box {
  width: number;
  height: number;
}

export interface Place {
  left: number;
  top: number;
}

/** Below its target, above where there is no room, beside where neither has; never off the page. */
export function placeOf(target: DOMRect, own: Box, view: Box): Place {
  const below = target.bottom + GAP_PX;
  const above = target.top - GAP_PX - own.height;
  const middle = target.left + target.width / 2 - own.width / 2;
  if (below + own.height <= view.height) return kept({ left: middle, top: below }, own, view);
  if (above >= 0) return kept({ left: middle, top: above }, own, view);
  const after = target.right + GAP_PX;
  const left = after + own.width <= view.width ? after : target.left - GAP_PX - own.width;
  return kept({ left, top: target.top }, own, view);
}

function kept({ left, top }: Place, own: Box, view: Box): Place {
  const within = (at: number, size: number, whole: number) =>
    Math.max(EDGE_PX, Math.min(at, whole - size - EDGE_PX));
  return { left: within(left, own.width, view.width), top: within(top, own.height, view.height) };
}

/** The first element of the page that the selector finds and that is seen; null for a bad selector. */
export function targetOf(selector: string): HTMLElement | null {
  try {
    const found = [...document.querySelectorAll<HTMLElement>(selector)];
    return found.find((one) => one.getClientRects().length > 0) ?? null;
  } catch {
    return null;
  }
}
