"""A team as the graph has it -> whom to invite next: with which role, why, and why now.

Each suggestion of the file has needs; the first whose needs the graph shows is made. Without one
nothing is suggested, so that the time is a part of the answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from onboarding.profile.catalogue import Name, Strict, Texts
from onboarding.profile.graph import End, Team
from onboarding.rules import read_data
from onboarding.types import UNKNOWN

EVIDENCE_KEPT = 6
Pointer = Annotated[str, Field(pattern=r"^(/[^/]+)+$")]


class Need(Strict):
    """`denied`: one of these operations was refused to somebody of the account. `finished`: all of
    these steps were done there, of `unfinished` none. `near`: people of the same company domain are
    in the product without being of the account. `is`: what the person who reads works as."""

    denied: tuple[Name, ...] = ()
    finished: tuple[Name, ...] = ()
    unfinished: tuple[Name, ...] = ()
    near: bool = False
    is_: tuple[Name, ...] = Field(default=(), alias="is")


class Suggesting(Strict):
    """`missing`: only while nobody of the account has the role; `cards`: those of the actions that
    it is for, all unless named."""

    id: Name
    cards: tuple[Name, ...] = ()
    role: Name
    missing: bool = False
    when: Need
    why: Texts


class Reading(Strict):
    """Addresses in what a reading tool of the product finds; `*` in the pointer is every item."""

    read: Name
    at: Pointer


class InviteFile(Strict):
    """`actions` are the cards that it is for; `role` and `people` are arguments of their tool that
    are preselected. `outsiders` tells of people whom the account works with, `insiders` of those
    who are members or invited: read with the rights of who asks, when they ask, and kept nowhere.
    """

    version: Literal[1]
    actions: tuple[Name, ...] = Field(min_length=1)
    role: Name
    people: Name | None = None
    suggestions: tuple[Suggesting, ...]
    outsiders: tuple[Reading, ...] = ()
    insiders: tuple[Reading, ...] = ()


@dataclass(frozen=True, slots=True)
class Suggestion:
    """`evidence` are ids of the events that it goes back to."""

    id: str
    role: str
    why: Texts
    evidence: tuple[str, ...] = ()


def load_invites(path: Path) -> InviteFile:
    """Raises DataFileError."""
    return read_data(path).parse(InviteFile)


def suggest(
    file: InviteFile, team: Team, role: str, members: int | None, card: str | None = None
) -> Suggestion | None:
    """`role` is what the reader works as, `members` how many the product says there are: who is
    not in the graph may have the role that seems to be missing. For any card where none is named.
    """
    whole = members is not None and team.members >= members
    for each in file.suggestions:
        if each.missing and (each.role in team.roles or not whole):
            continue
        if card is not None and card not in (each.cards or file.actions):
            continue
        shown = _shown(each.when, team, role)
        if shown is not None:
            ids = dict.fromkeys(id for end in shown for id in end.evidence)
            return Suggestion(each.id, each.role, each.why, tuple(ids)[:EVIDENCE_KEPT])
    return None


def _shown(need: Need, team: Team, role: str) -> list[End] | None:
    """What shows that the needs are there, events of other accounts left out; None where one is
    not."""
    denied = _named(team.denied, need.denied)
    finished = _named(team.finished, need.finished)
    missed = (
        (need.denied and not denied)
        or len(finished) < len(need.finished)
        or _named(team.finished, need.unfinished)
        or (need.near and not team.near)
        or (need.is_ and (role == UNKNOWN or role not in need.is_))
    )
    return None if missed else [*denied, *finished]


def _named(ends: Mapping[str, End], names: Iterable[str]) -> list[End]:
    return [ends[name] for name in names if name in ends]
