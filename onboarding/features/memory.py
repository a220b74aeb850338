"""The store in memory: the twin."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from copy import deepcopy

from onboarding.events import Numbered
from onboarding.features.applying import Memory, grow, without_user
from onboarding.features.compiling import FeatureSet, States


class MemoryFeatures:
    """A FeatureStore. Keeps nothing beyond the process."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], dict[str, Memory]] = defaultdict(dict)
        self._positions: dict[tuple[str, str], int] = {}

    async def apply(self, tenant: str, features: FeatureSet, read: Sequence[Numbered]) -> None:
        key = (tenant, features.spec)
        done = self._positions.get(key, 0)
        new = [each for each in read if each.number > done]
        grow(features, new, lambda subject: self._kept[key].setdefault(subject, Memory()))
        if new:
            self._positions[key] = new[-1].number

    async def position(self, tenant: str, spec: str) -> int:
        return self._positions.get((tenant, spec), 0)

    async def states(self, tenant: str, spec: str, subjects: Sequence[str]) -> list[States]:
        kept = self._kept[tenant, spec]
        return [deepcopy(kept[each].states) if each in kept else {} for each in subjects]

    async def drop(self, tenant: str, subjects: Sequence[str]) -> int:
        return sum(
            kept.pop(each, None) is not None
            for (whose, _), kept in self._kept.items()
            if whose == tenant
            for each in subjects
        )

    async def count(self, tenant: str, subjects: Sequence[str]) -> int:
        mine = [kept for (whose, _), kept in self._kept.items() if whose == tenant]
        return sum(each in kept for kept in mine for each in subjects)

    async def leave(self, tenant: str, user: str, accounts: Sequence[str]) -> None:
        for (whose, _), kept in self._kept.items():
            for account in accounts if whose == tenant else ():
                if f"g:{account}" in kept:
                    without_user(kept[f"g:{account}"].states, user)
