"""ScriptedPlanner: the twin of a planner; it says what a script says, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from agent.acting.types import NoAction, Plan, PlannerError, PlannerTurn
from guardrails import Redacted
from tools.types import Manifest

Line = Callable[[PlannerTurn], Plan | PlannerError | None]
"""What is said to a turn; None leaves it to the next line."""


class ScriptedPlanner:
    """`offers` maps a word of a question to the tool that is offered, where the person has it.

    `turns` keeps what it was given, for those who look.
    """

    def __init__(self, lines: Sequence[Line] = (), offers: Mapping[str, str] | None = None) -> None:
        self._lines = lines
        self._offers = offers or {}
        self.turns: list[PlannerTurn] = []

    @property
    def name(self) -> str:
        return "scripted"

    async def plan(self, turn: PlannerTurn) -> Plan:
        self.turns.append(turn)
        for line in self._lines:
            found = line(turn)
            if isinstance(found, PlannerError):
                raise found
            if found is not None:
                return found
        return NoAction()

    async def offer(self, question: Redacted, tools: tuple[Manifest, ...]) -> str | None:
        names = {manifest.name for manifest in tools}
        words = question.lower()
        found = (tool for word, tool in self._offers.items() if word in words and tool in names)
        return next(found, None)
