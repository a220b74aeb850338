"""Cards 2 and 3: greedy, of another kind while one is close, never two that block each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from onboarding.ranking.types import Asked, Policy, Scored
from onboarding.types import Candidate


def slate(asked: Asked, order: Sequence[Scored], first: str, policy: Policy) -> tuple[str, ...]:
    """`first` and what is shown beside it, best first; `order` is the short list."""
    by_name = {each.action: each for each in asked.candidates}
    chosen = [first]
    left = [each for each in order if each.action != first]
    while left and len(chosen) < policy.slots:
        left = [each for each in left if not _blocked(each.action, chosen, asked.blocks)]
        if left:
            following = _next(left, {by_name[name].kind for name in chosen}, by_name, policy)
            chosen.append(following.action)
            left.remove(following)
    return tuple(chosen)


def _next(
    left: Sequence[Scored], kinds: set[str], by_name: Mapping[str, Candidate], policy: Policy
) -> Scored:
    """Where no model scored, any other kind is close enough."""
    best = left[0]
    for each in left:
        near = best.score is None or each.score is None or each.score >= best.score - policy.close
        if near and by_name[each.action].kind not in kinds:
            return each
    return best


def others(
    asked: Asked, order: Sequence[Scored], name: str, shown: Sequence[str], most: int = 3
) -> tuple[str, ...]:
    """Another path: actions of other kinds that are on no card, best first; those that the ranker
    did not order follow in order of the rules."""
    by_name = {each.action: each for each in asked.candidates}
    ranked = [each.action for each in order]
    rest = [each.action for each in asked.candidates if each.action not in ranked]
    found = [
        each
        for each in (*ranked, *rest)
        if each not in shown and by_name[each].kind != by_name[name].kind
    ]
    return tuple(found[:most])


def _blocked(name: str, chosen: Sequence[str], blocks: Mapping[str, frozenset[str]]) -> bool:
    return any(name in blocks.get(each, frozenset()) for each in chosen)
