"""What a person asked not to get: by kind of message, journey or step, and channel."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from guardrails.refs import code
from onboarding.interventions.types import Channel, Message

EVERYTHING = "all"


class Wish(StrEnum):
    """`opt_out` is of kinds and channels; `never` and `snooze` of one suggestion, or all."""

    OPT_OUT = "opt_out"
    NEVER = "never"
    SNOOZE = "snooze"


@dataclass(frozen=True, slots=True)
class Choice:
    """`topic` is `all`, `kind/NAME`, `journey/NAME` or `step/JOURNEY/STEP`; `channel` None is every
    one; `until` is the end of a snooze. Raises ValueError."""

    topic: str
    wish: Wish
    at: datetime
    channel: Channel | None = None
    until: datetime | None = None

    def __post_init__(self) -> None:
        code("topic", self.topic)
        if self.topic.partition("/")[0] not in (EVERYTHING, "kind", "journey", "step"):
            raise ValueError("a topic is all, kind/NAME, journey/NAME or step/JOURNEY/STEP")
        if (self.wish is Wish.SNOOZE) != (self.until is not None):
            raise ValueError("a snooze, and nothing else, has an end")


def topics_of(message: Message) -> frozenset[str]:
    """What a choice may name so that it is about this message."""
    journey = message.journey.partition("@")[0]
    own = (f"kind/{message.kind}", f"journey/{journey}", f"step/{journey}/{message.step}")
    return frozenset({EVERYTHING, *own})


@dataclass(frozen=True, slots=True)
class Choices:
    """All that one person chose."""

    said: tuple[Choice, ...] = ()

    def opted_out(self, message: Message) -> bool:
        return any(each.wish is Wish.OPT_OUT for each in self._about(message))

    def never(self, message: Message) -> bool:
        return any(each.wish is Wish.NEVER for each in self._about(message))

    def snoozed_until(self, message: Message, now: datetime) -> datetime | None:
        """The last end that is still to come."""
        ends = (each.until for each in self._about(message) if each.wish is Wish.SNOOZE)
        return max((end for end in ends if end is not None and end > now), default=None)

    def _about(self, message: Message) -> tuple[Choice, ...]:
        topics = topics_of(message)
        fits = (None, message.channel)
        return tuple(c for c in self.said if c.topic in topics and c.channel in fits)
