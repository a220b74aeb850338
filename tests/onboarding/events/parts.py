"""An intake over twins, for tests."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from guardrails.consent import Channel, Purpose, Statement
from guardrails.consent.memory import MemoryConsents
from onboarding.events import SHIPPED, EventCatalogue, load_catalogue
from onboarding.events.intake import Intake, IntakeParts, Sender
from onboarding.events.memory import MemoryEventLog
from onboarding.events.quarantine import ErasedError
from onboarding.events.replaying import Replay
from onboarding.events.verdicts import Result
from tests.contracts.events import mac

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
KEY = b"a key of erasures for these tests"
HOST = Sender("t")
IMPORTED = """
event: Import Finished
version: 1-0-0
identity: [account]
purpose: [support, product_analytics]
core: true
properties:
  mode: {type: string, enum: [sample, full], required: true, purpose: [support, product_analytics]}
  rows: {type: integer, min: 0, purpose: [product_analytics]}
  note: {type: string, max: 10}
  tags: {type: strings, max: 5, purpose: [support]}
  done_at: {type: time, purpose: [support]}
  share: {type: number, min: 0, max: 1, purpose: [training]}
  sample: {type: boolean, purpose: [support]}
"""
WHO = """
event: identify
version: 1-0-0
kind: identify
extra: drop
purpose: [support]
traits:
  role: {type: string, purpose: [support, product_analytics]}
"""
GROUP = """
event: group
version: 1-0-0
kind: group
extra: drop
purpose: [support]
traits:
  plan: {type: string, purpose: [support]}
"""


class OpenSeal:
    """Turns bytes around; `erased` have no key any more."""

    def __init__(self) -> None:
        self.erased: set[str] = set()

    async def seal(self, tenant: str, subject: str, plain: bytes) -> bytes:
        if subject in self.erased:
            raise ErasedError
        return f"{tenant}/{subject}:".encode() + plain[::-1]

    async def open(self, tenant: str, subject: str, sealed: bytes) -> bytes:
        if subject in self.erased:
            raise ErasedError
        return sealed.removeprefix(f"{tenant}/{subject}:".encode())[::-1]


@dataclass(slots=True)
class House:
    """All of it."""

    catalogue: EventCatalogue
    log: MemoryEventLog = field(default_factory=lambda: MemoryEventLog(mac))
    consents: MemoryConsents = field(default_factory=lambda: MemoryConsents(KEY))
    seal: OpenSeal = field(default_factory=OpenSeal)
    intake: Intake = field(init=False)

    def __post_init__(self) -> None:
        self.intake = self.under(self.catalogue)

    def under(self, catalogue: EventCatalogue) -> Intake:
        parts = IntakeParts(catalogue, self.log, self.log, self.consents, self.seal)
        return Intake(parts)

    def replay(self, intake: Intake | None = None) -> Replay:
        return Replay("t", intake or self.intake, self.log, self.seal)

    async def take(self, *messages: Any, sender: Sender = HOST, **more: Any) -> tuple[Result, ...]:
        return await self.intake.take(sender, messages, NOW, **more)

    async def allow(self, user: str, *purposes: Purpose, given: bool = True) -> None:
        for purpose in purposes:
            await self.consents.record(
                Statement("t", user, purpose, given, "c-1", Channel.HOST, NOW, user)
            )


def contracts(folder: Path, *texts: str) -> EventCatalogue:
    folder.mkdir(exist_ok=True)
    for place, text in enumerate(texts):
        (folder / f"{place}.yaml").write_text(text)
    return load_catalogue(SHIPPED, folder)


def house(folder: Path) -> House:
    return House(contracts(folder / "contracts", IMPORTED, WHO, GROUP))


def track(id: str, name: str = "Import Finished", **properties: Any) -> dict[str, Any]:
    """A good one, unless something else is said."""
    return {
        "type": "track",
        "event": name,
        "messageId": id,
        "userId": "ana",
        "context": {"groupId": "acme"},
        "properties": {"mode": "full", **properties},
    }
