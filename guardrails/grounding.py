"""A drafted sentence and the passages it cites -> Verdict: shown only when they support it."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import resources

from guardrails.claims import Claim, Number, read_claim, stem
from guardrails.evidence import Source, Unit, read_source
from guardrails.markup import folded, plain
from guardrails.polarity import conflict
from guardrails.types import Redacted, Similarity, Verdict

FEATURES = ("similarity", "coverage", "passage_coverage", "conflict")
"""Inputs of the support model, in this order; see `SupportFeatures`."""

_SHORTLIST = 3
"""Evidence sentences, best by shared words, that the encoder looks at, with their neighbours."""
_MIN_VERBATIM_WORDS = 4
"""A stretch this long counts as verbatim inside a longer sentence; shorter ones must be whole."""


@dataclass(frozen=True, slots=True)
class SupportFeatures:
    """What the support model sees of one sentence against its best evidence.

    `similarity`: greatest cosine, -1..1. `coverage`: share of the sentence's content stems in the
    best evidence sentence or pair of neighbours. `passage_coverage`: in the whole passages.
    `conflict`: 1.0 where negation, an opposite or a modal differs, else 0.0.
    """

    similarity: float
    coverage: float
    passage_coverage: float
    conflict: float

    def values(self) -> tuple[float, ...]:
        return (self.similarity, self.coverage, self.passage_coverage, self.conflict)


@dataclass(frozen=True, slots=True)
class GroundingPolicy:
    """Logistic regression over `FEATURES`, and the support below which a sentence is dropped."""

    intercept: float
    weights: Mapping[str, float]
    threshold: float  # of the support, 0..1
    origin: str  # what fitted it, and the hash of the data

    @classmethod
    def fitted(cls) -> GroundingPolicy:
        """The policy that ships with the package: `evals/fit_grounding.py` wrote it."""
        text = resources.files("guardrails").joinpath("grounding.json").read_text("utf-8")
        return cls.from_json(text)

    @classmethod
    def from_json(cls, text: str) -> GroundingPolicy:
        """Raises ValueError where the weights are not those of this version's features."""
        data = json.loads(text)
        weights = {name: float(weight) for name, weight in data["weights"].items()}
        if tuple(weights) != FEATURES:
            raise ValueError(
                f"grounding policy has weights for {', '.join(weights)}; this version needs "
                f"{', '.join(FEATURES)}: fit it again with `python -m evals.fit_grounding`"
            )
        return cls(float(data["intercept"]), weights, float(data["threshold"]), data["origin"])

    @property
    def digest(self) -> str:
        """Names the policy in records: the first twelve hex digits of a SHA-256 of all of it."""
        return hashlib.sha256(json.dumps(asdict(self)).encode()).hexdigest()[:12]

    def support(self, features: SupportFeatures) -> float:
        """Probability that the evidence supports the sentence, 0..1."""
        score = self.intercept + sum(
            self.weights[name] * value
            for name, value in zip(FEATURES, features.values(), strict=True)
        )
        return 1 / (1 + math.exp(-score))


def verify(
    sentence: Redacted,
    quote: Redacted | None,
    sources: Mapping[int, Redacted],
    markers: Sequence[int],
    policy: GroundingPolicy,
    similarity: Similarity,
) -> Verdict:
    """Whether the passages that `markers` name support the sentence; `sources` by marker.

    In order: each marker exists; verbatim text is supported at once; quote, quoted strings,
    numbers, names, code and addresses must stand in the cited passages; then `policy` judges
    meaning. `similarity` is called at most once, with at most nine evidence strings.
    """
    if not markers:
        return Verdict(False, 0.0, "no_citation")
    if any(marker not in sources for marker in markers):
        return Verdict(False, 0.0, "unknown_citation")
    cited = [read_source(sources[marker]) for marker in dict.fromkeys(markers)]
    if quote is not None and not any(_holds(source, folded(quote)) for source in cited):
        return Verdict(False, 0.0, "quote")
    if any(is_verbatim(sentence, source) for source in cited):
        return Verdict(True, 1.0)
    claim = read_claim(plain(sentence), sentence)
    missing = missing_part(claim, cited)
    if missing is not None:
        return Verdict(False, 0.0, missing)
    return _judged(measure(claim, cited, similarity), policy)


def best_quote(sentence: Redacted, source: Redacted) -> Redacted | None:
    """The verbatim stretch of the passage that carries the sentence: one sentence of the passage,
    or two neighbours where the second adds at least a fifth of the words. None where no word is
    shared."""
    claim = read_claim(plain(sentence), sentence)
    read = read_source(source)
    ranked = _ranked(claim, read)
    if not ranked or not claim.content & read.units[ranked[0]].claim.content:
        return None
    best = ranked[0]
    return Redacted(_widened(claim, read, best))


def is_verbatim(sentence: Redacted, source: Source) -> bool:
    """Whether the sentence is a run of whole sentences of the passage, markup and spacing aside,
    or at least four words of the beginning or end of one that nothing in it contradicts."""
    wanted = folded(sentence)
    if not any(char.isalnum() for char in wanted) or wanted not in source.folded:
        return False
    if any(folded(unit.text) == wanted for unit in source.units) or _spans_units(wanted, source):
        return True
    if len(wanted.split()) < _MIN_VERBATIM_WORDS:
        return False
    claim = read_claim(plain(sentence))
    holders = [unit for unit in source.units if wanted in folded(unit.text)]
    return any(not conflict(claim, unit.claim) for unit in holders)


def _spans_units(wanted: str, source: Source) -> bool:
    """Whether the text begins where a sentence begins and ends where a later one ends."""
    starts = [unit for unit in source.units if wanted.startswith(folded(unit.text))]
    ends = [unit for unit in source.units if wanted.endswith(folded(unit.text))]
    return bool(starts) and bool(ends)


def _holds(source: Source, wanted: str) -> bool:
    return bool(wanted) and wanted in source.folded


def _judged(features: SupportFeatures, policy: GroundingPolicy) -> Verdict:
    support = policy.support(features)
    if support >= policy.threshold:
        return Verdict(True, support)
    return Verdict(False, support, "negation" if features.conflict else "support")


# --- what must be present -----------------------------------------------------------------------


def missing_part(claim: Claim, cited: Sequence[Source]) -> str | None:
    """The reason code of the first thing that no cited passage holds."""
    if not claim.content:
        return "support"
    text = " ".join(source.folded for source in cited)
    raw = "\n".join(source.raw for source in cited)
    checks = (
        ("quote", all(folded(quoted) in text for quoted in claim.quoted)),
        ("number", _numbers_present(claim, cited)),
        ("url", all(url in raw.lower() for url in claim.urls)),
        ("code", all(_code_present(code, raw, text) for code in claim.code)),
        ("name", names_present(claim, cited)),
    )
    return next((reason for reason, present in checks if not present), None)


def _numbers_present(claim: Claim, cited: Sequence[Source]) -> bool:
    known = [number for source in cited for number in source.claim.numbers]
    return all(any(_same_quantity(number, other) for other in known) for number in claim.numbers)


def _same_quantity(mine: Number, theirs: Number) -> bool:
    """Equal values of one unit. Where either counts things, a thing that both name is enough, and
    a measure never equals a count (`50 GB` is not `50 people`)."""
    if mine.value != theirs.value:
        return False
    if mine.unit or theirs.unit:
        return mine.unit == theirs.unit
    return True


def _code_present(code: str, raw: str, text: str) -> bool:
    return code in raw or " ".join(code.split()) in " ".join(raw.split()) or folded(code) in text


def names_present(claim: Claim, cited: Sequence[Source]) -> bool:
    """Each capitalised word stands in a cited passage, in any case and number."""
    words = {token for source in cited for token in source.claim.tokens}
    stems = {root for source in cited for root in source.claim.stems}
    return all(name in words or stem(name) in stems for name in claim.names)


# --- meaning ------------------------------------------------------------------------------------


def measure(claim: Claim, cited: Sequence[Source], similarity: Similarity) -> SupportFeatures:
    """The features of `policy` for one claim; calls `similarity` once."""
    windows = [window for source in cited for window in _windows(claim, source)]
    if not windows:
        return SupportFeatures(0.0, 0.0, 0.0, 0.0)
    cosines = similarity([Redacted(claim.text)], [Redacted(text) for text, _ in windows])[0]
    scored = [
        (cosine, _coverage(claim, frozenset().union(*(unit.claim.content for unit in units))))
        for cosine, (_, units) in zip(cosines, windows, strict=True)
    ]
    best = max(range(len(windows)), key=lambda at: scored[at][0] + scored[at][1])
    everything = frozenset().union(*(source.claim.content for source in cited))
    return SupportFeatures(
        similarity=max(cosine for cosine, _ in scored),
        coverage=scored[best][1],
        passage_coverage=_coverage(claim, everything),
        conflict=float(_conflicts(claim, windows[best][1])),
    )


def _coverage(claim: Claim, stems: frozenset[str]) -> float:
    return len(claim.content & stems) / len(claim.content) if claim.content else 0.0


def _conflicts(claim: Claim, units: tuple[Unit, ...]) -> bool:
    together = read_claim(" ".join(unit.text for unit in units))
    return conflict(claim, together)


Window = tuple[str, tuple[Unit, ...]]


def _windows(claim: Claim, source: Source) -> list[Window]:
    """The sentences that share most words with the claim, alone and with each neighbour."""
    windows: dict[tuple[int, int], None] = {}
    for at in _ranked(claim, source)[:_SHORTLIST]:
        windows[at, at + 1] = None
        for pair in ((at - 1, at + 1), (at, at + 2)):
            if pair[0] >= 0 and pair[1] <= len(source.units):
                windows[pair] = None
    return [
        (" ".join(unit.text for unit in source.units[start:end]), source.units[start:end])
        for start, end in windows
    ]


def _ranked(claim: Claim, source: Source) -> list[int]:
    """Positions of the sentences, most shared words first, then the shorter, then the earlier."""

    def key(at: int) -> tuple[float, int, int]:
        content = source.units[at].claim.content
        return -len(claim.content & content), len(content), at

    return sorted(range(len(source.units)), key=key)


_ADDS = 0.2


def _widened(claim: Claim, source: Source, best: int) -> str:
    covered = claim.content & source.units[best].claim.content
    for neighbour in (best + 1, best - 1):
        if not 0 <= neighbour < len(source.units):
            continue
        added = claim.content & source.units[neighbour].claim.content - covered
        stretch = _stretch(source, min(best, neighbour), max(best, neighbour))
        if len(added) >= _ADDS * len(claim.content) and stretch is not None:
            return stretch
    return source.units[best].raw


def _stretch(source: Source, first: int, last: int) -> str | None:
    """The passage's own text from one sentence to the next, unless other text lies between."""
    start = source.raw.find(source.units[first].raw)
    end = source.raw.find(source.units[last].raw, start + len(source.units[first].raw))
    if start < 0 or end < 0 or source.raw[start + len(source.units[first].raw) : end].strip():
        return None
    return source.raw[start : end + len(source.units[last].raw)]
