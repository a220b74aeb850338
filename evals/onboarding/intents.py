"""What people say -> what they came for: the shipped text classifier beside a plain one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.naive_bayes import MultinomialNB

from evals.metrics import auroc
from evals.onboarding.figures import Contender, Part
from onboarding.profile.text import TextClassifier
from onboarding.training import TextRecipe, fit_text, measured
from onboarding.training.folds import folds_by_group

SEED: Final = 41
TEN: Final = 10
OOS: Final = "oos"
WIDE: Final = TextRecipe(terms=8000, rounds=20)
"""Of 150 intents; the shipped models have a handful and take all terms."""
Numbers = NDArray[np.float64]


class Said(NamedTuple):
    """A text and what was meant by it."""

    text: str
    intent: str


def intents(data: Path) -> list[Part]:
    """CLINC150 (fit on train, scored on validation), BANKING77 and real web-app questions (both
    split by a hash of the text)."""
    return [_clinc(data / "intents_clinc150"), *_banking(data / "intents_banking77"),
            _webapps(data / "intents_webapps")]  # fmt: skip


def _clinc(folder: Path) -> Part:
    train, test = _read(folder / "train.jsonl"), _read(folder / "val.jsonl")
    return Part(
        "CLINC150",
        f"fitted on train.jsonl ({len(train)}), scored on val.jsonl ({len(test)})",
        _contenders(train, test, WIDE),
        ("published SVM 91.0 in scope (Larson 2019, from memory); in-scope accuracy below",),
        (SEED,),
    )


def _banking(folder: Path) -> list[Part]:
    said = _read(folder / "train.jsonl")
    folds = folds_by_group([each.text.casefold() for each in said], 5, SEED)
    train = [each for each, fold in zip(said, folds, strict=True) if fold]
    test = [each for each, fold in zip(said, folds, strict=True) if not fold]
    rng = np.random.default_rng(SEED)
    few = _few(train, rng)
    full = Part(
        "BANKING77",
        f"hash of the text: fitted on {len(train)}, scored on {len(test)}",
        _contenders(train, test, WIDE),
        seeds=(SEED,),
    )
    ten = Part(
        "BANKING77, ten a class",
        f"fitted on {len(few)}, scored on {len(test)}",
        _contenders(few, test, TextRecipe(terms=6000, rounds=20)),
        ("published ten-shot: USE 84.2, ICDA 89.8, with pretrained encoders",),
        (SEED,),
    )
    return [full, ten]


def _webapps(folder: Path) -> Part:
    said = _read(folder / "train.jsonl")
    folds = folds_by_group([each.text.casefold() for each in said], 5, SEED)
    ours, plain, test = [], [], []
    for fold in range(5):
        train = [each for each, of in zip(said, folds, strict=True) if of != fold]
        out = [each for each, of in zip(said, folds, strict=True) if of == fold]
        ours += _ours(train, out, TextRecipe())
        plain += _plain(train, out)
        test += out
    return Part(
        "web-app questions",
        f"five folds by hash of the text, {len(said)} texts of {len({s.intent for s in said})}"
        " intents: a check on real wording only",
        (_scored("ours", ours, test, ours=True), _scored("naive Bayes", plain, test)),
        seeds=(SEED,),
    )


def _contenders(
    train: Sequence[Said], test: Sequence[Said], recipe: TextRecipe
) -> tuple[Contender, ...]:
    return (
        _scored("ours", _ours(train, test, recipe), test, ours=True),
        _scored("naive Bayes on words", _plain(train, test), test),
    )


def _ours(
    train: Sequence[Said], test: Sequence[Said], recipe: TextRecipe
) -> list[tuple[str, float]]:
    texts, labels = [s.text for s in train], [s.intent for s in train]
    model = TextClassifier(fit_text(texts, labels, [t.casefold() for t in texts], recipe))
    found = []
    for each in test:
        odds = model.odds(each.text)
        best = max(odds, key=lambda label: (odds[label], label))
        found.append((best, odds[best]))
    return found


def _plain(train: Sequence[Said], test: Sequence[Said]) -> list[tuple[str, float]]:
    words = TfidfVectorizer(lowercase=True)
    table = words.fit_transform([each.text for each in train])
    model = MultinomialNB(alpha=0.1).fit(table, [each.intent for each in train])
    chances = model.predict_proba(words.transform([each.text for each in test]))
    best = chances.argmax(axis=1)
    return [(str(model.classes_[b]), float(row[b])) for b, row in zip(best, chances, strict=True)]


def _scored(
    name: str, told: Sequence[tuple[str, float]], test: Sequence[Said], *, ours: bool = False
) -> Contender:
    """Brier and ECE are of the best label's chance against whether it was right."""
    right = np.array([label == s.intent for (label, _), s in zip(told, test, strict=True)], float)
    sure = np.array([chance for _, chance in told])
    inside = np.array([each.intent != OOS for each in test])
    quality = measured(sure, right)
    figures = {
        "accuracy": float(right[inside].mean()),
        "Brier": quality.brier,
        "ECE": quality.ece,
    }
    if not inside.all():
        known = [chance if label != OOS else 0.0 for label, chance in told]
        told_inside = np.array(known)
        figures["AUROC out of scope"] = auroc(
            told_inside[inside].tolist(), told_inside[~inside].tolist()
        )
    bars = tuple(
        {"chance": b.chance, "share": b.share, "count": float(b.count)} for b in quality.bins
    )
    return Contender(name, figures, ours, bars)


def _few(train: Sequence[Said], rng: np.random.Generator) -> list[Said]:
    found: list[Said] = []
    for intent in sorted({each.intent for each in train}):
        own = [each for each in train if each.intent == intent]
        found += [own[n] for n in rng.permutation(len(own))[:TEN]]
    return found


def _read(file: Path) -> list[Said]:
    rows = (json.loads(line) for line in file.read_text(encoding="utf-8").splitlines())
    return [Said(row["text"], row["intent"]) for row in rows]
