"""Fit the support model of `guardrails/grounding.json`: `python -m evals.fit_grounding --data DIR`.

DIR holds folders in the layout of a docs corpus. The model is fitted on each corpus alone and
tested on every other, beside similarity alone at a threshold chosen the same way; what ships is
fitted on all of them.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from evals.grounding_pairs import Pair, build_pairs, read_corpus
from guardrails import GroundingPolicy, Redacted, Similarity, stored
from guardrails.claims import read_claim
from guardrails.evidence import read_source
from guardrails.grounding import FEATURES, SupportFeatures, is_verbatim, measure, missing_part
from guardrails.markup import plain
from guardrails.patterns import PatternRedactor
from retrieval.encoder import load_encoder
from retrieval.types import Encoder

TARGET = Path(__file__).parents[1] / "guardrails" / "grounding.json"
PASSED_AT_MOST = 0.05
"""Share of the constructed unsupported claims that may pass: they are far harder than what models
write, where the aim is 1 % of the sentences shown (`DESIGN.md` section 4)."""
SEED = 20260101
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Example:
    """A pair as the checks see it; `blocked` names the check that drops it without the model."""

    pair: Pair
    features: SupportFeatures
    blocked: str | None
    verbatim: bool


@dataclass(frozen=True, slots=True)
class Figures:
    """`auc`: ROC AUC of the support. Shares of wrong decisions at the threshold, 0..1."""

    auc: float
    unsupported_passed: float
    supported_rejected: float


class Vectors:
    """Unit vectors of texts, each encoded once; a `Similarity` over them."""

    def __init__(self) -> None:
        self._wanted: dict[str, int] = {}
        self._rows: NDArray[np.float32] | None = None

    def __call__(
        self, claims: Sequence[Redacted], evidence: Sequence[Redacted]
    ) -> Sequence[Sequence[float]]:
        mine, theirs = self._at(claims), self._at(evidence)
        if self._rows is None:
            return [[0.0] * len(theirs) for _ in mine]
        cosines: Floats = (self._rows[mine] @ self._rows[theirs].T).astype(np.float64)
        return [list(map(float, row)) for row in cosines]

    def encode(self, encoder: Encoder) -> None:
        """Encode every text asked for so far."""
        self._rows = encoder.encode_passages([stored(text) for text in self._wanted])

    def _at(self, texts: Sequence[Redacted]) -> list[int]:
        return [self._wanted.setdefault(text, len(self._wanted)) for text in texts]


def examples_of(pairs: Sequence[Pair], similarity: Similarity) -> list[Example]:
    found = []
    for pair in pairs:
        source = read_source(pair.source)
        claim = read_claim(plain(pair.claim), pair.claim)
        features = measure(claim, [source], similarity)
        blocked = missing_part(claim, [source])
        found.append(Example(pair, features, blocked, is_verbatim(pair.claim, source)))
    return found


def fit(
    examples: Sequence[Example], origin: str, names: Sequence[str] = FEATURES
) -> GroundingPolicy:
    """Logistic regression on what the presence checks let through, classes weighted equally, and
    the least threshold at which `PASSED_AT_MOST` of the unsupported claims pass. A feature whose
    weight would point the wrong way (corrupted claims keep the words of their source) is left
    out."""
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 - a second to import

    judged = [example for example in examples if example.blocked is None and not example.verbatim]
    labels = np.array([example.pair.supported for example in judged])
    used = list(names)
    while True:
        rows = np.array([[getattr(example.features, name) for name in used] for example in judged])
        model = LogisticRegression(C=10.0, class_weight="balanced").fit(rows, labels)
        learnt = dict(zip(used, map(float, model.coef_[0]), strict=True))
        against = [name for name in used if (learnt[name] > 0) == (name == "conflict")]
        if not against:
            break
        used = [name for name in used if name not in against]
    weights = {name: round(learnt.get(name, 0.0), 4) for name in FEATURES}
    policy = GroundingPolicy(round(float(model.intercept_[0]), 4), weights, 0.5, origin)
    scores, truth = supports(policy, examples, checks=len(names) > 1)
    wrong = np.sort(scores[~truth])
    threshold = float(wrong[min(len(wrong) - 1, int(np.ceil(len(wrong) * (1 - PASSED_AT_MOST))))])
    return GroundingPolicy(policy.intercept, weights, round(threshold + 1e-4, 4), origin)


def supports(
    policy: GroundingPolicy, examples: Sequence[Example], *, checks: bool
) -> tuple[Floats, NDArray[np.bool_]]:
    """Support of each example (0 where a presence check drops it, unless `checks` is off)."""
    scores = [
        0.0 if checks and example.blocked and not example.verbatim
        else 1.0 if checks and example.verbatim
        else policy.support(example.features)
        for example in examples
    ]  # fmt: skip
    return np.array(scores), np.array([example.pair.supported for example in examples])


def figures(policy: GroundingPolicy, examples: Sequence[Example], *, checks: bool) -> Figures:
    from sklearn.metrics import roc_auc_score  # noqa: PLC0415

    scores, truth = supports(policy, examples, checks=checks)
    passed = scores >= policy.threshold
    return Figures(
        auc=float(roc_auc_score(truth, scores)),
        unsupported_passed=float(passed[~truth].mean()),
        supported_rejected=float((~passed[truth]).mean()),
    )


def by_kind(
    policy: GroundingPolicy, examples: Sequence[Example]
) -> Mapping[str, tuple[int, float]]:
    """Number and share passed of each kind of pair."""
    scores, _ = supports(policy, examples, checks=True)
    kinds = sorted({(example.pair.supported, example.pair.kind) for example in examples})
    table = {}
    for supported, kind in kinds:
        chosen = [
            score >= policy.threshold
            for score, example in zip(scores, examples, strict=True)
            if (example.pair.supported, example.pair.kind) == (supported, kind)
        ]
        table[f"{'supported' if supported else 'unsupported'}: {kind}"] = (
            len(chosen), float(np.mean(chosen)),
        )  # fmt: skip
    return table


def report(corpora: Mapping[str, Sequence[Example]]) -> None:
    """Every corpus fitted alone, tested on each other one."""
    say = sys.stdout.write
    for learnt in corpora:
        for tested, examples in corpora.items():
            if tested == learnt:
                continue
            say(f"\nfitted on {learnt}, tested on {tested} ({len(examples)} pairs)\n")
            for title, names in (("support model", FEATURES), ("similarity only", FEATURES[:1])):
                policy = fit(corpora[learnt], learnt, names)
                result = figures(policy, examples, checks=len(names) > 1)
                say(
                    f"  {title:16} AUC {result.auc:.3f}  unsupported passed "
                    f"{result.unsupported_passed:.3f}  supported rejected "
                    f"{result.supported_rejected:.3f}\n"
                )
            for kind, (count, passed) in by_kind(fit(corpora[learnt], learnt), examples).items():
                say(f"    {kind:32} {count:5}  passed {passed:.3f}\n")


def fingerprint(pairs: Sequence[Pair]) -> str:
    digest = hashlib.sha256()
    for pair in pairs:
        digest.update(json.dumps([pair.claim, pair.source, pair.supported]).encode())
    return digest.hexdigest()[:16]


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m evals.fit_grounding", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of docs corpora")
    parser.add_argument(
        "--limit", type=int, default=500, help="sentences, and gold answers, a corpus"
    )
    parser.add_argument("--write", action="store_true", help=f"replace {TARGET.name}")
    cache = Path(".embark/encoder")
    parser.add_argument("--cache", type=Path, default=cache, help="converted encoders")
    given = parser.parse_args(argv)
    folders = sorted(path.parent for path in given.data.glob("*/docs.jsonl"))
    if len(folders) < 2:  # noqa: PLR2004 - one to fit, one to test
        parser.error(f"{given.data} holds {len(folders)} corpora with a docs.jsonl; two are needed")
    redactor, vectors = PatternRedactor(), Vectors()
    pairs = {
        folder.name: build_pairs(read_corpus(folder, redactor), random.Random(SEED), given.limit)
        for folder in folders
    }
    everything = [pair for made in pairs.values() for pair in made]
    examples_of(everything, vectors)  # says which texts will be compared
    vectors.encode(load_encoder(cache=given.cache))
    corpora = {name: examples_of(made, vectors) for name, made in pairs.items()}
    report(corpora)
    merged = [example for examples in corpora.values() for example in examples]
    origin = f"evals.fit_grounding on {', '.join(corpora)}; data {fingerprint(everything)}"
    shipped = fit(merged, origin)
    sys.stdout.write(f"\nshipped: {shipped}\n")
    if given.write:
        TARGET.write_text(_as_json(shipped), "utf-8")
    return 0


def _as_json(policy: GroundingPolicy) -> str:
    data = {
        "origin": policy.origin,
        "intercept": policy.intercept,
        "weights": dict(policy.weights),
        "threshold": policy.threshold,
    }
    return json.dumps(data, indent=2) + "\n"


if __name__ == "__main__":
    raise SystemExit(main())
