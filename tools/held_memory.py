"""Held values in memory: the twin, sealed by the same vault, and what every implementation does."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from pydantic import JsonValue

from guardrails import Redacted, Redaction
from guardrails.pseudonyms import (
    TOKEN,
    identity,
    part_of,
    pseudonymise,
    shape_of,
    token,
    unveiled,
    whole,
)
from tools.held import Held, UnknownTokenError
from tools.types import Arguments
from tools.vault import Vault

Opened = Mapping[str, tuple[str, str]]
"""Token of a whole value -> its type and the value in the clear."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """A held value as it is stored. `mac` tells equal values without opening them."""

    held: Held
    subject: str
    mac: str
    value: bytes


class Naming:
    """Gives tokens to the values of one conversation; equal values get the same."""

    def __init__(self, stored: Mapping[str, Held], mac: Callable[[str], str]) -> None:
        """`stored` by mac."""
        self.fresh: list[tuple[Held, str, str]] = []  # with mac and value
        self._tokens = {mac: held.token for mac, held in stored.items()}
        self._counts: dict[str, int] = {}
        self._mac = mac
        for held in stored.values():
            self._counts[held.type] = self._counts.get(held.type, 0) + 1

    def __call__(self, type: str, value: str) -> str:
        mac = self._mac(identity(type, value))
        if mac not in self._tokens:
            self._counts[type] = self._counts.get(type, 0) + 1
            name = token(type, self._counts[type])
            self._tokens[mac] = name
            self.fresh.append((Held(name, type, shape_of(type, value)), mac, value))
        return self._tokens[mac]


def restored(value: JsonValue, opened: Opened) -> JsonValue:
    """The value with every token in it replaced. A value that is one token alone takes the type of
    what it stands for. Raises UnknownTokenError."""
    if isinstance(value, str):
        return _restored_text(value, opened)
    if isinstance(value, list):
        return [restored(each, opened) for each in value]
    if isinstance(value, dict):
        return {name: restored(each, opened) for name, each in value.items()}
    return value


def _restored_text(text: str, opened: Opened) -> str | int:
    if TOKEN.fullmatch(text):
        return _value_of(text, opened)
    return TOKEN.sub(lambda match: str(_value_of(match[0], opened)), text)


def _value_of(name: str, opened: Opened) -> str | int:
    base, part = whole(name)
    if base not in opened:
        raise UnknownTokenError(name)
    type, value = opened[base]
    if not part:
        return value
    found = part_of(type, value, part)
    if found is None:
        raise UnknownTokenError(name)
    return found


def seen_by_owner(text: str, opened: Opened) -> str:
    """The text with its values, secrets masked; unknown tokens stay."""

    def seen(name: str) -> str:
        base, part = whole(name)
        return unveiled(*opened[base], part) if base in opened else name

    return TOKEN.sub(lambda match: seen(match[0]), text)


def tokens_of(value: JsonValue) -> frozenset[str]:
    """Whole tokens anywhere in the value."""
    text = value if isinstance(value, str) else json.dumps(value)
    return frozenset(whole(match[0])[0] for match in TOKEN.finditer(text))


@dataclass(slots=True)
class MemoryHeldValues:
    """Keeps nothing beyond the process."""

    vault: Vault
    _kept: dict[tuple[str, str], dict[str, Sealed]] = field(default_factory=dict)

    async def hold(
        self, tenant: str, subject: str, thread_id: str, original: str, redaction: Redaction
    ) -> Redacted:
        here = self._kept.setdefault((tenant, thread_id), {})
        stored = {sealed.mac: sealed.held for sealed in here.values()}
        naming = Naming(stored, lambda plain: self.vault.mac(tenant, subject, plain.encode()))
        text = pseudonymise(original, redaction, naming)
        for held, mac, value in naming.fresh:
            context = context_of(thread_id, held.token)
            sealed = self.vault.seal(tenant, subject, context, value.encode())
            here[held.token] = Sealed(held, subject, mac, sealed)
        return text

    async def known(self, tenant: str, thread_id: str) -> tuple[Held, ...]:
        return tuple(sealed.held for sealed in self._kept.get((tenant, thread_id), {}).values())

    async def restore(
        self, tenant: str, subject: str, thread_id: str, arguments: Arguments
    ) -> Arguments:
        plain = dict(arguments)
        opened = self._opened(tenant, subject, thread_id, tokens_of(plain))
        return {name: restored(value, opened) for name, value in plain.items()}

    async def shown(self, tenant: str, subject: str, thread_id: str, text: str) -> str:
        return seen_by_owner(text, self._opened(tenant, subject, thread_id, tokens_of(text)))

    def _opened(
        self, tenant: str, subject: str, thread_id: str, tokens: frozenset[str]
    ) -> dict[str, tuple[str, str]]:
        here = self._kept.get((tenant, thread_id), {})
        opened: dict[str, tuple[str, str]] = {}
        own = {name for name in tokens & here.keys() if here[name].subject == subject}
        for name in own:
            context = context_of(thread_id, name)
            plain = self.vault.open(tenant, subject, context, here[name].value)
            opened[name] = (here[name].held.type, plain.decode())
        return opened


def context_of(thread_id: str, token: str) -> str:
    """What the ciphertext of a held value is bound to."""
    return f"held:{thread_id}:{token}"
