"""What a Copilot is made of: every concrete thing is chosen by whoever builds it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from agent.conversations import Conversations
from agent.types import Answerer
from agent.verification import Grounding
from guardrails import Redactor
from retrieval.types import Retriever


@dataclass(frozen=True, slots=True)
class Budget:
    """How long a model may take before the answer goes on without it. Seconds.

    `first_s` to the first drafted unit: what is left of the 5 s in which every question is
    answered, provider down or not, once the extractive answerer has had its turn. `gap_s` between
    units; `total_s` for the whole draft.
    """

    first_s: float = 4.0
    gap_s: float = 4.0
    total_s: float = 60.0

    def for_the_last(self) -> Budget:
        """Nobody answers after the last one: only the whole is limited, so that a busy machine is
        slow rather than silent."""
        return Budget(self.total_s, self.total_s, self.total_s)


@dataclass(frozen=True, slots=True)
class Deps:
    """The parts of a Copilot. Retriever and redactor are called in worker threads.

    `fallback` answers when `answerer` fails before anything was shown; it needs no network.
    `threshold` is the calibrated confidence below which there is no answer. `facts` go into every
    decision record: versions of prompt, policy and model. `timer` is monotonic, in seconds.
    """

    retriever: Retriever
    answerer: Answerer
    redactor: Redactor
    grounding: Grounding
    threshold: float
    conversations: Conversations
    clock: Callable[[], datetime]
    new_id: Callable[[], str]
    fallback: Answerer | None = None
    budget: Budget = Budget()
    facts: Mapping[str, str] = field(default_factory=dict)
    timer: Callable[[], float] = time.perf_counter
