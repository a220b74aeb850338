"""A desk whose every decision by a person stands in the audit log before it is taken."""

from __future__ import annotations

from typing_extensions import override

from guardrails.audit import AuditLog, Note, What, named
from guardrails.store import StoreUnavailableError
from tools.acting import Decision
from tools.desk import ActionDesk, DeskParts
from tools.journal import Action, JournalUnavailableError


class AuditedDesk(ActionDesk):
    """By whichever way the word comes: the page, the conversation, a console."""

    def __init__(self, parts: DeskParts, audit: AuditLog) -> None:
        super().__init__(parts)
        self._audit = audit

    @override
    async def decide(self, tenant: str, decision: Decision) -> Action:
        """Raises JournalUnavailableError also where the log cannot be written: no word is taken."""
        action = await self._journal.action(tenant, decision.action_id)
        note = Note(
            tenant,
            named(decision.approver.subject),
            What.APPROVAL,
            named(action.who.subject),
            f"{decision.verdict} by {decision.channel}",
            decision.action_id,
        )
        try:
            await self._audit.write(note)
        except StoreUnavailableError as failure:
            raise JournalUnavailableError("the audit log does not answer") from failure
        return await super().decide(tenant, decision)
