"""Whether two sentences on the same matter say opposite things."""

from __future__ import annotations

from collections.abc import Iterable

from guardrails.claims import STOP_WORDS, Claim, stem
from guardrails.lexicon import LEXICON


def _stems(words: Iterable[str]) -> frozenset[str]:
    return frozenset(stem(word) for word in words)


_NEGATIONS = LEXICON.negations
_REACH = 3
"""Content words after a negation that it may govern."""

_OPPOSITES = tuple((_stems(left), _stems(right)) for left, right in LEXICON.opposites)
_OBLIGATION = _stems(LEXICON.obligation)
_FREEDOM = _stems(LEXICON.freedom)
_EXCLUSIVE = _stems(LEXICON.exclusive)
_UNIVERSAL = _stems(LEXICON.universal)
_PARTIAL = _stems(LEXICON.partial)


def conflict(claim: Claim, evidence: Claim) -> bool:
    """Negation, an opposite, or a stronger modal or quantifier than the evidence has."""
    return (
        _negation_differs(claim, evidence)
        or _has_opposite(claim, evidence)
        or _stronger(claim, evidence)
    )


def _negated(claim: Claim) -> list[tuple[str, ...]]:
    """For each negation, the stems that it may govern, nearest first."""
    found = []
    for at, token in enumerate(claim.tokens):
        if token not in _NEGATIONS or (at == 0 and token == "no"):
            continue
        governed = [
            root
            for word, root in zip(claim.tokens[at + 1 :], claim.stems[at + 1 :], strict=True)
            if word not in STOP_WORDS
        ]
        found.append(tuple(governed[:_REACH]))
    return found


def _negation_differs(claim: Claim, evidence: Claim) -> bool:
    mine, theirs = _negated(claim), _negated(evidence)
    their_targets = {root for governed in theirs for root in governed}
    my_targets = {root for governed in mine for root in governed}
    if any(governed and not their_targets & set(governed) for governed in mine):
        return True
    return any(governed and governed[0] in claim.content - my_targets for governed in theirs)


def _has_opposite(claim: Claim, evidence: Claim) -> bool:
    mine, theirs = set(claim.stems), set(evidence.stems)
    for left, right in _OPPOSITES:
        for here, there in ((left, right), (right, left)):
            if mine & here and not mine & there and theirs & there and not theirs & here:
                return True
    return False


def _stronger(claim: Claim, evidence: Claim) -> bool:
    mine, theirs = set(claim.stems), set(evidence.stems)
    if mine & _OBLIGATION and not theirs & _OBLIGATION and theirs & _FREEDOM:
        return True
    if mine & _EXCLUSIVE and not theirs & _EXCLUSIVE:
        return True
    return bool(mine & _UNIVERSAL and not theirs & _UNIVERSAL and theirs & (_PARTIAL | _EXCLUSIVE))


def opposite_of(word: str) -> str | None:
    """A word that says the contrary of this one, None where the lexicon has none."""
    for left, right in LEXICON.opposites:
        for here, there in ((left, right), (right, left)):
            if word in here:
                return min(there, key=lambda other: (abs(len(other) - len(word)), other))
    return None
