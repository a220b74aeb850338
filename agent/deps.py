"""What a Copilot is made of: every concrete thing is chosen by whoever builds it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from pydantic import JsonValue

from agent.acting import Lookup, Planner
from agent.conversations import Conversations
from agent.guiding import Guide
from agent.recording import Record, nowhere
from agent.seeing import Sees, always
from agent.types import Answerer
from agent.verification import Grounding
from guardrails import Redactor
from guardrails.labels import Labelled
from retrieval.types import Retriever
from tools.acting import Desk
from tools.held import HeldValues
from tools.journal import Journal
from tools.tool import Catalogue
from tools.types import Actor


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


class Facts(Protocol):
    """What is known of a person and of the state of the product, labelled, by dotted name."""

    async def facts(self, actor: Actor) -> Mapping[str, Labelled[JsonValue]]:
        """Never raises: what cannot be read now is left out."""
        ...


@dataclass(frozen=True, slots=True)
class Acting:
    """The parts that let a Copilot act. `journal` is read only; what moves goes through `desk`.

    `lookup` gives a person's own present choices. `patience_s` is how long a run waits for an
    action before it says that it goes on without it.
    """

    desk: Desk
    journal: Journal
    catalogue: Catalogue
    planner: Planner
    held: HeldValues
    facts: Facts
    lookup: Callable[[Actor], Lookup]
    patience_s: float = 20.0


@dataclass(frozen=True, slots=True)
class Deps:
    """The parts of a Copilot. Retriever and redactor are called in worker threads.

    `fallback` answers when `answerer` fails before anything was shown; it needs no network.
    `threshold` is the calibrated confidence below which there is no answer. `facts` go into every
    decision record: versions of prompt, policy and model. `timer` is monotonic, in seconds.
    Without `acting` it only answers. `record` takes what was decided. `sees` is asked again before
    anything is cited. Without `guide` it knows nothing of next steps.
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
    acting: Acting | None = None
    record: Record = nowhere
    sees: Sees = always
    guide: Guide | None = None
