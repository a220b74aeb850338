"""The twins: next steps and champions in memory."""

from __future__ import annotations

from datetime import datetime

from guardrails.refs import code
from onboarding.ranking import Mute, mute_of
from onboarding.store.ranking.rows import dumped, loaded, outcome_row
from onboarding.store.ranking.store import BLOCK, Move, before
from onboarding.types import Decision, Outcome, OutcomeKind


class MemoryNextSteps:
    """Keeps nothing beyond the process; decisions as text, so that nobody changes them."""

    def __init__(self) -> None:
        self._decisions: dict[tuple[str, str], str] = {}
        self._outcomes: dict[tuple[object, ...], Outcome] = {}
        self._mutes: dict[tuple[str, str, str], Mute] = {}

    async def add(self, decision: Decision) -> None:
        self._decisions.setdefault((decision.person.tenant, decision.id), dumped(decision))

    async def decision(self, tenant: str, decision_id: str) -> Decision | None:
        body = self._decisions.get((tenant, decision_id))
        return None if body is None else loaded(body)

    async def latest(self, tenant: str, subject: str) -> Decision | None:
        mine = await self.decisions_of(tenant, subject)
        return mine[-1] if mine else None

    async def decisions(
        self, tenant: str, since: datetime, until: datetime
    ) -> tuple[Decision, ...]:
        return tuple(each for each in self._all(tenant) if since <= each.at < until)

    async def decisions_of(self, tenant: str, subject: str) -> tuple[Decision, ...]:
        return tuple(each for each in self._all(tenant) if each.person.user == subject)

    async def note(self, outcome: Outcome) -> bool:
        row = outcome_row(outcome)
        key = tuple(row[name] for name in ("tenant", "subject", "decision", "action", "kind", "at"))
        if key in self._outcomes:
            return False
        self._outcomes[key] = outcome
        mute = mute_of(outcome)
        if mute is not None:
            place = (mute.person.tenant, mute.person.user, mute.action)
            known = self._mutes.get(place)
            if known is None or OutcomeKind.NEVER not in {known.kind} - {mute.kind}:
                self._mutes[place] = mute
        return True

    async def outcomes(self, tenant: str, since: datetime, until: datetime) -> tuple[Outcome, ...]:
        return tuple(each for each in self._noted(tenant) if since <= each.at < until)

    async def outcomes_of(self, tenant: str, subject: str) -> tuple[Outcome, ...]:
        return tuple(each for each in self._noted(tenant) if each.person.user == subject)

    async def mutes(self, tenant: str, subject: str) -> tuple[Mute, ...]:
        return tuple(
            mute for key, mute in sorted(self._mutes.items()) if key[:2] == (tenant, subject)
        )

    async def undo(self, tenant: str, subject: str, action: str) -> bool:
        return self._mutes.pop((tenant, subject, action), None) is not None

    async def erase(self, tenant: str, subject: str) -> int:
        gone = await self.count(tenant, subject)
        for decision in await self.decisions_of(tenant, subject):
            del self._decisions[tenant, decision.id]
        self._outcomes = {k: o for k, o in self._outcomes.items() if k[:2] != (tenant, subject)}
        self._mutes = {k: m for k, m in self._mutes.items() if k[:2] != (tenant, subject)}
        return gone

    async def count(self, tenant: str, subject: str) -> int:
        return (
            len(await self.decisions_of(tenant, subject))
            + len(await self.outcomes_of(tenant, subject))
            + len(await self.mutes(tenant, subject))
        )

    async def sweep(
        self, tenant: str, before: datetime, keep: frozenset[str], limit: int = BLOCK
    ) -> int:
        old = [d for d in self._all(tenant) if d.at < before and d.person.user not in keep]
        for decision in old[:limit]:
            del self._decisions[tenant, decision.id]
        left = limit - len(old[:limit])
        noted = [
            key
            for key, each in sorted(self._outcomes.items(), key=lambda pair: pair[1].at)
            if key[0] == tenant and each.at < before and each.person.user not in keep
        ]
        for key in noted[:left]:
            del self._outcomes[key]
        return len(old[:limit]) + len(noted[:left])

    async def due(self, tenant: str, before: datetime, keep: frozenset[str]) -> int:
        aged: list[Decision | Outcome] = [*self._all(tenant), *self._noted(tenant)]
        return sum(each.at < before and each.person.user not in keep for each in aged)

    def _all(self, tenant: str) -> list[Decision]:
        mine = [loaded(body) for (of, _), body in self._decisions.items() if of == tenant]
        return sorted(mine, key=lambda each: (each.at, each.id))

    def _noted(self, tenant: str) -> list[Outcome]:
        mine = [each for each in self._outcomes.values() if each.person.tenant == tenant]
        return sorted(mine, key=lambda o: (o.at, o.person.user, o.decision, o.action, o.kind.value))


class MemoryChampions:
    """Keeps nothing beyond the process."""

    def __init__(self) -> None:
        self._moves: dict[tuple[str, str], tuple[Move, ...]] = {}

    async def champion(self, tenant: str, slot: str) -> str | None:
        moves = self._moves.get((tenant, slot), ())
        return moves[-1].version if moves else None

    async def promote(  # who moved what, why and when
        self,
        tenant: str,
        slot: str,
        version: str | None,
        by: str,
        reason: str,
        now: datetime,
    ) -> Move:
        for name, value in (("slot", slot), ("version", version), ("by", by), ("reason", reason)):
            code(name, value) if value is not None else None
        known = self._moves.get((tenant, slot), ())
        move = Move(slot, len(known) + 1, version, now, by, reason)
        self._moves[tenant, slot] = (*known, move)
        return move

    async def rollback(self, tenant: str, slot: str, by: str, reason: str, now: datetime) -> Move:
        back = before(self._moves.get((tenant, slot), ()))
        return await self.promote(tenant, slot, back, by, reason, now)

    async def moves(self, tenant: str, slot: str) -> tuple[Move, ...]:
        return self._moves.get((tenant, slot), ())
