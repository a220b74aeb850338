"""What becomes of each kind of personal data, and why a turn may be refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from guardrails.types import Span


class Treatment(StrEnum):
    """What becomes of an entity."""

    PASS = "pass"
    """It stays readable."""
    PSEUDONYM = "pseudonym"
    """`<PERSON_1>` to the model, the value to the tools and to its owner."""
    MASK = "mask"
    """`<PERSON>` to everybody; the value is kept nowhere."""
    REFUSE = "refuse"
    """The turn is refused."""


class TurnRefusedError(Exception):
    """The turn must go no further.

    TurnRefusedError
     +- EntityRefusedError    it holds an entity that the policy refuses
     +- NoWorkerError         names cannot be looked for: every worker is gone or busy
    """


class EntityRefusedError(TurnRefusedError):
    """The turn holds an entity that the policy refuses."""

    def __init__(self, type: str) -> None:
        super().__init__(f"the text holds a {type}, which this product does not take")
        self.type = type


class NoWorkerError(TurnRefusedError):
    """No worker was free in time."""

    def __init__(self, waited_s: float) -> None:
        super().__init__(f"no redaction worker within {waited_s:g} s")
        self.waited_s = waited_s


@dataclass(frozen=True, slots=True)
class EntityPolicy:
    """The treatment of each entity type; those that are not named get a pseudonym."""

    treatments: Mapping[str, Treatment] = field(default_factory=dict)

    def kept(self, spans: Sequence[Span]) -> tuple[Span, ...]:
        """Spans to replace, without those that pass. Raises EntityRefusedError."""
        for span in spans:
            if self.treatments.get(span.type) is Treatment.REFUSE:
                raise EntityRefusedError(span.type)
        passing = {type for type, of in self.treatments.items() if of is Treatment.PASS}
        return tuple(span for span in spans if span.type not in passing)

    @property
    def unkept(self) -> frozenset[str]:
        """Types whose values are held nowhere."""
        return frozenset(type for type, of in self.treatments.items() if of is Treatment.MASK)
