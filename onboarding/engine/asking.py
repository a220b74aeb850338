"""Who is here now -> the one question that would help most, in the visit that is under way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from onboarding.engine.advising import SESSION_GAP, Advice, Asking, visit_began
from onboarding.profile.errors import NoSuchValueError, NotAskedError
from onboarding.profile.questions import Asked
from onboarding.profile.telling import AskedLine, ask
from onboarding.store.profile.desk import ProfileDesk
from onboarding.types import Person

VISIT: Final = "visit"


@dataclass(frozen=True, slots=True)
class Posed:
    """A question as it is put; `session` goes back with the reply."""

    session: str
    line: AskedLine


@dataclass(frozen=True, slots=True)
class Questions:
    """Raises StoreUnavailableError."""

    profiles: ProfileDesk

    async def of(self, asking: Asking, advice: Advice, locale: str) -> Posed | None:
        """The same one again while it is open. None where none pays, or enough were asked."""
        began = visit_began(advice.moment.own, asking.now)
        session = session_of(await self.profiles.asked(asking.person), began, asking.now)
        reached = advice.way is not None and advice.way.progress.reached_at is not None
        offer = await self.profiles.question(
            asking.person, session, onboarding=not reached, rights=asking.rights
        )
        return None if offer is None else Posed(session, ask(offer, self.profiles.words, locale))

    async def reply(self, person: Person, question: str, session: str, value: str | None) -> bool:
        """False where it is not open, or has no such answer."""
        try:
            await self.profiles.reply(person, session, question, value)
        except (NotAskedError, NoSuchValueError):
            return False
        return True


def session_of(asked: Sequence[Asked], began: datetime | None, now: datetime) -> str:
    """The session of the last question while the visit lasts in which it was put; else a new one.
    A page that only reads leaves no events: then half an hour makes a visit."""
    last = asked[-1] if asked else None
    if last is not None:
        same = began is not None and last.at >= began
        if same or now - last.at < SESSION_GAP:
            return last.session
    return f"{VISIT}-{now:%Y%m%dT%H%M%S}"
