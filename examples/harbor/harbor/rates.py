"""Requests a minute and workspace, over all its keys together (FACTS.md, "API")."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from harbor.context import Ctx
from harbor.facts import REQUESTS_A_MINUTE
from harbor.problems import Problem

MINUTE_S = 60.0
BURST_S = 10.0
BURST = 2  # times the minute's rate
SCIM_A_SECOND = 10


@dataclass(slots=True)
class Window:
    start: float
    used: int = 0


@dataclass(slots=True)
class Rates:
    """What was used, in memory: a restart forgives. Programs are counted, people are not."""

    windows: dict[tuple[str, float], Window] = field(default_factory=dict)

    def take(self, ctx: Ctx) -> None:
        """Counts the request of a key, and says in `rate` headers where it stands.
        Raises Problem."""
        headers = ctx.request.state.rate
        if ctx.scopes is None or headers:
            return
        limit, now = REQUESTS_A_MINUTE[ctx.plan.name], ctx.tx.now.timestamp()
        minute = self._counted(ctx.ws, now, MINUTE_S)
        burst = self._counted(ctx.ws, now, BURST_S)
        reset = math.ceil(minute.start + MINUTE_S - now)
        headers |= {
            "ratelimit-limit": str(limit),
            "ratelimit-remaining": str(max(limit - minute.used, 0)),
            "ratelimit-reset": str(reset),
        }
        if minute.used > limit:
            raise Problem("HBR-303", f"{limit} requests a minute", retry_after=reset)
        if burst.used > limit * BURST * BURST_S / MINUTE_S:
            wait = math.ceil(burst.start + BURST_S - now)
            raise Problem("HBR-303", "more than twice the minute's rate", retry_after=wait)

    def take_scim(self, workspace: str, now: float) -> None:
        if self._counted(f"scim {workspace}", now, 1.0).used > SCIM_A_SECOND:
            raise Problem("HBR-303", f"{SCIM_A_SECOND} requests a second", retry_after=1.0)

    def _counted(self, who: str, now: float, length_s: float) -> Window:
        key = (who, length_s)
        window = self.windows.get(key)
        if window is None or not 0 <= now - window.start < length_s:
            window = self.windows[key] = Window(now)
        window.used += 1
        return window
