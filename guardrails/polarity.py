"""Whether two sentences on the same matter say opposite things."""

from __future__ import annotations

from guardrails.claims import STOP_WORDS, Claim, stem

_NEGATIONS = frozenset(
    [
        "not",
        "cannot",
        "never",
        "no",
        "none",
        "neither",
        "nor",
        "without",
        "unable",
        "don't",
        "doesn't",
        "didn't",
        "isn't",
        "aren't",
        "wasn't",
        "weren't",
        "won't",
        "can't",
        "couldn't",
        "shouldn't",
        "mustn't",
        "wouldn't",
        "hasn't",
        "haven't",
        "unless",
    ]
)
_REACH = 3
"""Content words after a negation that it may govern."""

_OPPOSITES = tuple(
    (
        frozenset(stem(word) for word in left.split()),
        frozenset(stem(word) for word in right.split()),
    )
    for left, right in (
        line.split(" | ")
        for line in [
            "enable enables enabled activate turn-on | disable disables disabled deactivate",
            "allow allows allowed permit permits permitted grant | deny denies denied block blocks blocked forbid forbids reject rejects rejected prohibit",
            "increase increases increased raise raises higher more greater | decrease decreases decreased reduce reduces reduced lower less fewer smaller",
            "before prior earlier | after afterwards later",
            "minimum min least lowest | maximum max most highest",
            "required mandatory require requires | optional optionally",
            "start starts started | stop stops stopped",
            "add adds added adding | remove removes removed removing delete deletes deleted",
            "create creates created | delete deletes deleted destroy remove removes removed",
            "public publicly | private privately",
            "always | never",
            "include includes included including | exclude excludes excluded excluding except",
            "inbound incoming ingress | outbound outgoing egress",
            "upgrade upgrades | downgrade downgrades",
            "supported supports support | unsupported",
            "first | last",
            "above | below",
            "online | offline",
            "open opens | close closes closed",
            "encrypted encrypt encrypts | decrypted decrypt unencrypted plaintext",
            "synchronous synchronously | asynchronous asynchronously",
            "valid | invalid",
            "accept accepts accepted | reject rejects rejected",
            "import imports imported | export exports exported",
            "possible | impossible",
            "automatic automatically | manual manually",
            "same | different",
            "internal internally | external externally",
            "client clients | server servers",
            "success successful succeeds | failure failed fails",
            "temporary temporarily | permanent permanently",
            "free | paid",
            "read-only | writable",
            "horizontal horizontally | vertical vertically",
            "left | right",
            "connect connects connected | disconnect disconnects disconnected",
            "safe secure | unsafe insecure",
        ]
    )
)
_OBLIGATION = frozenset(
    stem(word)
    for word in ["must", "required", "require", "requires", "mandatory", "have-to", "need", "needs"]
)
_FREEDOM = frozenset(
    stem(word)
    for word in ["can", "may", "might", "optional", "optionally", "could", "recommended", "should"]
)
_EXCLUSIVE = frozenset(stem(word) for word in ["only", "solely", "exclusively", "just"])
_UNIVERSAL = frozenset(stem(word) for word in ["all", "every", "always", "any", "each", "entire"])
_PARTIAL = frozenset(
    stem(word) for word in ["some", "most", "certain", "sometimes", "usually", "several"]
)


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
