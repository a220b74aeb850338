"""A person and their team -> whom to invite next, from the graph."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pydantic import JsonValue

from onboarding.profile.domains import domain_class
from onboarding.profile.graph import GraphQueries
from onboarding.profile.inviting import InviteFile, Reading, Suggestion, suggest
from onboarding.rules import Moment
from onboarding.types import Person

MEMBERS = "members"
"""The state that says how many people the product counts."""
MOST_PEOPLE = 10


@dataclass(frozen=True, slots=True)
class Inviting:
    """Of one tenant. Raises StoreUnavailableError."""

    queries: GraphQueries
    file: InviteFile | None

    async def of(
        self, person: Person, moment: Moment, card: str | None = None
    ) -> Suggestion | None:
        """None where nobody is to be invited now, or nothing is known of a team. `moment` is there
        only for who is guided."""
        if self.file is None or person.account is None:
            return None
        team = await self.queries.team(person.tenant, person.account, moment.now)
        members = moment.state(MEMBERS)
        count = members if isinstance(members, int) else None
        return suggest(self.file, team, moment.profile.value("role"), count, card)

    def readings(self) -> tuple[str, ...]:
        """Tools that tell of people; none where none is preselected."""
        file = self.file
        if file is None or file.people is None or not file.outsiders:
            return ()
        return tuple(dict.fromkeys(each.read for each in (*file.outsiders, *file.insiders)))

    def is_for(self, action: str) -> bool:
        return self.file is not None and action in self.file.actions

    def arguments(self, suggestion: Suggestion) -> dict[str, JsonValue]:
        """What the tool is preselected with."""
        return {} if self.file is None else {self.file.role: suggestion.role}

    def people(self, found: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
        """Addresses to begin with, of the company's own domains; `found` by reading tool, None
        where it could not be read. Nobody is named while it is not known who is there already."""
        file = self.file
        if file is None or file.people is None:
            return {}
        if any(found.get(each.read) is None for each in file.insiders):
            return {}
        inside = set(_addresses(file.insiders, found))
        own = {_domain(each) for each in inside if domain_class(each) == "corporate"}
        named = [
            each
            for each in dict.fromkeys(_addresses(file.outsiders, found))
            if each not in inside and _domain(each) in own
        ]
        return {file.people: list[JsonValue](named[:MOST_PEOPLE])} if named else {}


def _addresses(readings: Iterable[Reading], found: Mapping[str, JsonValue]) -> list[str]:
    return [
        value.strip().lower()
        for each in readings
        for value in _at(found.get(each.read), each.at.split("/")[1:])
        if isinstance(value, str) and "@" in value
    ]


def _at(value: JsonValue, way: list[str]) -> list[JsonValue]:
    if not way:
        return [value]
    step, *rest = way
    if step == "*" and isinstance(value, list):
        return [one for item in value for one in _at(item, rest)]
    return _at(value[step], rest) if isinstance(value, dict) and step in value else []


def _domain(address: str) -> str:
    return address.rpartition("@")[2]
