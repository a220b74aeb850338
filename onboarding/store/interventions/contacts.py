"""Where people are reached: the host's own directory, asked each time, never stored.

GET URL/{user}  ->  200 {"email", "phone", "locale", "zone", "country"}, 404 for nobody
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, ValidationError
from typing_extensions import override

from onboarding.interventions.channel import Contact, ContactsUnavailableError
from onboarding.interventions.types import Channel
from onboarding.store.interventions.posting import Ask, Request, RequestError
from onboarding.types import Person

WITH_ADDRESS: Final = frozenset({Channel.EMAIL, Channel.SMS})


class _Entry(BaseModel):
    model_config = ConfigDict(extra="ignore")

    email: str | None = None
    phone: str | None = None
    locale: str | None = None
    zone: str | None = None
    country: str | None = None


@dataclass(frozen=True, slots=True)
class Directory:
    """`url` is followed by the user's reference."""

    url: str
    token: str
    timeout_s: float = 5.0
    locale: str = "en"

    @override
    def __repr__(self) -> str:
        return f"Directory({self.url})"


class HostContacts:
    """Over any outbound client."""

    def __init__(self, directory: Directory, ask: Ask) -> None:
        self._directory = directory
        self._ask = ask

    async def of(self, person: Person, channel: Channel) -> Contact | None:
        entry = await self._entry(person)
        if entry is None:
            return None
        address = {Channel.EMAIL: entry.email, Channel.SMS: entry.phone}.get(channel, "")
        if address is None:
            return None
        locale = entry.locale or self._directory.locale
        return Contact(address, locale, entry.zone, entry.country)

    async def _entry(self, person: Person) -> _Entry | None:
        directory = self._directory
        url = f"{directory.url.rstrip('/')}/{quote(person.user, safe='')}"
        headers = {"authorization": f"Bearer {directory.token}", "accept": "application/json"}
        try:
            reply = await self._ask(Request("GET", url, headers, None, directory.timeout_s))
        except RequestError as failure:
            raise ContactsUnavailableError(failure.code) from failure
        if reply.status in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE):
            return None
        if reply.status != HTTPStatus.OK:
            raise ContactsUnavailableError(f"status {reply.status}")
        try:
            return _Entry.model_validate_json(reply.body)
        except ValidationError as failure:
            raise ContactsUnavailableError("no directory entry") from failure


class MemoryContacts:
    """The twin. Who is not in it is reached in the app alone."""

    def __init__(self, known: Mapping[tuple[str, Channel], Contact] | None = None) -> None:
        self.known = dict(known or {})

    async def of(self, person: Person, channel: Channel) -> Contact | None:
        found = self.known.get((person.user, channel))
        return found or (None if channel in WITH_ADDRESS else Contact(""))
