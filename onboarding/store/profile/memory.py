"""Facts, questions and self-models in memory: the twin."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

from guardrails.consent import Purpose
from guardrails.refs import stamp
from onboarding.profile.holding import is_wish
from onboarding.profile.keeping import BLOCK, StoredModel, fact_id
from onboarding.profile.questions import Asked, Reply
from onboarding.store.profile.rows import asked_row, fact_row, model_row
from onboarding.types import Fact, Source

Who = tuple[str, str]
K = TypeVar("K")
V = TypeVar("V")


class MemoryProfiles:
    """Keeps nothing beyond the process."""

    def __init__(self) -> None:
        self._facts: dict[Who, dict[str, Fact]] = {}
        self._asked: dict[Who, dict[tuple[str, str], Asked]] = {}
        self._models: dict[Who, StoredModel] = {}

    async def add(self, tenant: str, facts: Sequence[Fact]) -> int:
        for fact in facts:
            fact_row(tenant, fact)  # refuses what SQL refuses, before anything is kept
        new = 0
        for fact in facts:
            own = self._facts.setdefault((tenant, fact.subject), {})
            new += fact_id(fact) not in own
            own.setdefault(fact_id(fact), fact)
        return new

    async def facts(self, tenant: str, subject: str) -> tuple[Fact, ...]:
        own = self._facts.get((tenant, subject), {})
        return tuple(sorted(own.values(), key=lambda f: (stamp(f.valid_from), fact_id(f))))

    async def remove(
        self, tenant: str, subject: str, names: Sequence[str], source: Source | None = None
    ) -> int:
        own = self._facts.get((tenant, subject), {})
        named = [id for id, fact in own.items() if fact.name in names]
        return _drop(own, [id for id in named if source in (None, own[id].source)])

    async def withdraw(self, tenant: str, subject: str, purpose: Purpose) -> int:
        own = self._facts.get((tenant, subject), {})
        serving = [id for id, f in own.items() if f.purpose is purpose and not is_wish(f)]
        gone = _drop(own, serving)
        if purpose is Purpose.PRODUCT_ANALYTICS:
            gone += len(self._asked.pop((tenant, subject), {}))
            gone += self._models.pop((tenant, subject), None) is not None
        return gone

    async def subjects(self, tenant: str, after: str = "", limit: int = BLOCK) -> tuple[str, ...]:
        kept = [who for who, own in (*self._facts.items(), *self._asked.items()) if own]
        names = {subject for of, subject in (*kept, *self._models) if of == tenant}
        return tuple(sorted(name for name in names if name > after)[:limit])

    async def ask(self, tenant: str, subject: str, asked: Asked) -> bool:
        asked_row(tenant, subject, asked)
        own = self._asked.setdefault((tenant, subject), {})
        new = (asked.session, asked.question) not in own
        own.setdefault((asked.session, asked.question), asked)
        return new

    async def reply(
        self, tenant: str, subject: str, session: str, question: str, reply: Reply
    ) -> bool:
        own = self._asked.get((tenant, subject), {})
        asked = own.get((session, question))
        if asked is None or asked.reply is not Reply.OPEN:
            return False
        own[session, question] = replace(asked, reply=reply)
        return True

    async def asked(self, tenant: str, subject: str) -> tuple[Asked, ...]:
        own = self._asked.get((tenant, subject), {})
        return tuple(sorted(own.values(), key=lambda a: (stamp(a.at), a.question)))

    async def keep_model(self, tenant: str, subject: str, stored: StoredModel) -> None:
        model_row(tenant, subject, stored)
        self._models[tenant, subject] = stored

    async def model(self, tenant: str, subject: str) -> StoredModel | None:
        return self._models.get((tenant, subject))

    async def erase(self, tenant: str, subject: str) -> int:
        who = (tenant, subject)
        gone = await self.count(tenant, subject)
        self._facts.pop(who, None)
        self._asked.pop(who, None)
        self._models.pop(who, None)
        return gone

    async def count(self, tenant: str, subject: str) -> int:
        who = (tenant, subject)
        rows = len(self._facts.get(who, {})) + len(self._asked.get(who, {}))
        return rows + (who in self._models)

    async def sweep(
        self, tenant: str, before: datetime, keep: frozenset[str], limit: int = BLOCK
    ) -> int:
        gone = 0
        for who in self._aging(tenant, keep):
            facts, asked = self._facts.get(who, {}), self._asked.get(who, {})
            gone += _drop(facts, [i for i, f in facts.items() if _old(f, before)][: limit - gone])
            old = [key for key, each in asked.items() if each.at < before]
            gone += _drop(asked, old[: limit - gone])
            if gone < limit and who in self._models and self._models[who].at < before:
                del self._models[who]
                gone += 1
        return gone

    async def due(self, tenant: str, before: datetime, keep: frozenset[str]) -> int:
        due = 0
        for who in self._aging(tenant, keep):
            due += sum(_old(fact, before) for fact in self._facts.get(who, {}).values())
            due += sum(each.at < before for each in self._asked.get(who, {}).values())
            due += who in self._models and self._models[who].at < before
        return due

    def _aging(self, tenant: str, keep: frozenset[str]) -> Sequence[Who]:
        every = {*self._facts, *self._asked, *self._models}
        return sorted(who for who in every if who[0] == tenant and who[1] not in keep)


def _old(fact: Fact, before: datetime) -> bool:
    return fact.source is Source.INFERRED and fact.valid_from < before


def _drop(own: dict[K, V], keys: Iterable[K]) -> int:
    gone = list(keys)
    for key in gone:
        del own[key]
    return len(gone)
