"""What the HTTP surface needs to act, and what stands there where nothing can be acted on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from api.advice import GuideDesk
from api.errors import NotHereError
from api.events import EventDesk
from api.hooks import HostHooks
from api.identity import Identify
from api.interventions import Messages
from api.shelf import GuideShelf
from guardrails.audit import AuditLog
from guardrails.consent import ConsentDesk
from guardrails.decisions import DecisionRecord
from guardrails.retention import HoldStore
from guardrails.rights import Rights
from onboarding.store.profile.desk import ProfileDesk
from tools.acting import Desk
from tools.connectors import ConnectorDesk
from tools.journal import Journal
from tools.receipts.keys import KeyRing
from tools.tool import Catalogue


class _Nothing:
    """Whatever is asked of it, there is nothing."""

    def __getattr__(self, name: str) -> Any:
        raise NotHereError("acting_off", "nothing can be acted on here: no tools are configured")


_NOTHING: Any = _Nothing()


@dataclass(frozen=True, slots=True)
class Acts:
    """`identify` tells who signs in; without it nobody can. The journal is only read. Without
    `audit` staff read nothing of others."""

    identify: Identify | None = None
    desk: Desk = _NOTHING
    journal: Journal = _NOTHING
    catalogue: Catalogue = _NOTHING
    ring: KeyRing = _NOTHING
    rights: Rights | None = None
    decisions: DecisionRecord | None = None
    consents: ConsentDesk | None = None
    audit: AuditLog | None = None
    connectors: ConnectorDesk | None = None
    hooks: HostHooks | None = None
    holds: HoldStore | None = None
    guide: GuideDesk | None = None
    guides: GuideShelf | None = None
    events: EventDesk | None = None
    profiles: ProfileDesk | None = None
    messages: Messages | None = None
