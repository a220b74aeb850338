"""The curated order: what is served before there is a model, wherever one cannot be trusted, and
what every model has to beat."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from onboarding.ranking.exploring import uniform_over_first
from onboarding.ranking.types import Asked, Fallback, Policy, Ranked, Rung, Scored
from onboarding.types import Candidate, Why

CURATED: Final = Rung.CURATED.value


class RuleRanker:
    """The order of the rules, with a uniform share of exploration that later models learn from.
    `fallback` says why it serves in a model's place."""

    def __init__(self, fallback: Fallback | None = None) -> None:
        self._fallback = fallback

    def rank(self, asked: Asked, short: tuple[Candidate, ...], policy: Policy) -> Ranked:  # noqa: ARG002
        names = [each.action for each in short]
        return Ranked(
            order=tuple(Scored(name, None) for name in names),
            chances=uniform_over_first(names, policy.explore),
            policy=CURATED,
            fallback=self._fallback,
        )

    def explain(self, asked: Asked, ranked: Ranked, chosen: tuple[str, ...]) -> Mapping[str, Why]:  # noqa: ARG002
        return {}
