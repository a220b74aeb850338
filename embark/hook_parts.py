"""settings -> what the host's backend may tell us, and what is done then."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import structlog

from api import Acts
from api.admission import Admission
from api.hooks import HostHooks
from embark.access_parts import open_revocations
from embark.acting import Hands
from embark.host_identity import HostIdentity
from embark.layers import ConfigurationError
from embark.rights import LATER
from embark.settings import Settings
from embark.webhook_parts import secrets_of
from guardrails.retention import UnderHoldError
from guardrails.rights import Rights
from retrieval.access import PAGE, Revocation
from tools.credentials_sql import SqlCredentials
from tools.types import Principal
from tools.webhooks import SeenMessages, prepare

BY_HOST = "~host"
"""Who asks for an erasure that the host's backend told us of, as receipts name it."""
_log = structlog.get_logger(__name__)


@asynccontextmanager
async def hearing(
    settings: Settings, hands: Hands | None, acts: Acts | None, admission: Admission
) -> AsyncIterator[Acts | None]:
    """The same, and it does what the host's backend tells. Raises ConfigurationError."""
    chosen = settings.host_webhooks
    if chosen is None:
        yield acts
        return
    if hands is None or acts is None or acts.rights is None:
        raise ConfigurationError(["host_webhooks: without actions.tools nothing is kept of people"])
    secrets = secrets_of(chosen, "host_webhooks")
    prepare(hands.engine)
    deeds = _Deeds(settings, hands, acts.rights, admission)
    hooks = HostHooks(
        secrets=secrets,
        seen=SeenMessages(hands.engine),
        clock=_now,
        user_deleted=deeds.erase,
        access_revoked=deeds.end_sessions,
        document_revoked=deeds.hide,
    )
    try:
        yield replace(acts, hooks=hooks)
    finally:
        await deeds.aclose()


@dataclass(frozen=True, slots=True)
class _Deeds:
    """What is done on the host's word."""

    settings: Settings
    hands: Hands
    rights: Rights
    admission: Admission
    erasing: set[asyncio.Task[None]] = field(default_factory=set)

    async def erase(self, subject: str) -> None:
        """Written down when it returns; whoever dies meanwhile, a visit to the ledger goes on."""
        await self.end_sessions(subject)
        await self.rights.begin(self.settings.tenant, subject, BY_HOST)
        task = asyncio.create_task(self._erased(subject), name="erasure told by the host")
        self.erasing.add(task)
        task.add_done_callback(self.erasing.discard)

    async def _erased(self, subject: str) -> None:
        try:
            await self.rights.erase(self.settings.tenant, subject, BY_HOST)
        except (*LATER, UnderHoldError) as failure:  # the ledger has it: a visit tries again
            _log.warning("erasures.later", error=type(failure).__name__)

    async def end_sessions(self, subject: str) -> None:
        """Of widget tokens, of the host's own sign-in as remembered here, and its credentials."""
        tenant, identify = self.settings.tenant, self.hands.acts.identify
        if self.admission.desk is not None:
            await self.admission.desk.revoke_all(subject)
        if isinstance(identify, HostIdentity):
            identify.forget(tenant, subject)
        credentials = SqlCredentials(self.hands.engine, self.hands.vault, _now)
        await credentials.forget(Principal(tenant, subject, ""))

    async def hide(self, path: str) -> None:
        """Every process obeys within two seconds, with all that it has cached."""
        with ExitStack() as closing:
            revoked = open_revocations(self.settings, closing)
            given = Revocation(self.settings.tenant, PAGE, path, _now())
            await asyncio.to_thread(revoked.revoke, given)

    async def aclose(self) -> None:
        """Waits for what it has begun."""
        while self.erasing:
            await asyncio.wait(set(self.erasing))


def _now() -> datetime:
    return datetime.now(UTC)
