"""Words -> odds of labels: a linear classifier as vocabulary and weights in JSON, served by numpy.

Terms are words and pairs of words, and runs of 3 to 5 characters inside a word; each kind is one
TF-IDF block of length 1. `onboarding.training.text` fits it.
"""

from __future__ import annotations

import re
import unicodedata
from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray

from onboarding.types import UNKNOWN

FORMAT: Final = 1
MAX_TEXT: Final = 2000
"""Characters that are read; what people say of their goal is far shorter."""
_WORD = re.compile(r"\w+")
_RUNS = (3, 4, 5)
Floats = NDArray[np.float32]


class TextModelError(ValueError):
    """The file is not a text model; it names the file and what is wrong."""


class Counts(NamedTuple):
    """How often each term stands in a text, by kind."""

    words: Counter[str]
    runs: Counter[str]


@dataclass(frozen=True, slots=True)
class TextModel:
    """`weights` is terms x labels, `temperature` divides its logits; odds below `abstain` mean that
    the label is not known well enough. Terms of characters begin with a blank or a `#`."""

    labels: tuple[str, ...]
    terms: tuple[str, ...]
    idf: Floats
    weights: Floats
    bias: Floats
    temperature: float
    abstain: float

    def dumps(self) -> bytes:
        """JSON; numbers of the arrays as base64 of little-endian float32."""
        return orjson.dumps(
            {
                "format": FORMAT,
                "labels": self.labels,
                "terms": self.terms,
                "idf": _packed(self.idf),
                "weights": _packed(self.weights),
                "bias": _packed(self.bias),
                "temperature": self.temperature,
                "abstain": self.abstain,
            }
        )


class TextClassifier:
    """Thread-safe: it only reads."""

    def __init__(self, model: TextModel) -> None:
        self.model = model
        self._place = {term: place for place, term in enumerate(model.terms)}

    @classmethod
    def load(cls, path: Path) -> TextClassifier:
        """Raises TextModelError, OSError."""
        try:
            return cls(_parsed(path.read_bytes()))
        except (KeyError, TypeError, ValueError) as error:
            raise TextModelError(f"{path}: no text model: {error}") from error

    def odds(self, text: str) -> dict[str, float]:
        """Calibrated probability of every label, summing to 1. `text` was redacted."""
        chances = softmax(self._logits(text) / self.model.temperature)
        return {
            label: float(chance) for label, chance in zip(self.model.labels, chances, strict=True)
        }

    def label(self, text: str) -> str:
        """The likeliest label, or `unknown` below the model's threshold."""
        odds = self.odds(text)
        best = max(odds, key=lambda label: (odds[label], label))
        return best if odds[best] >= self.model.abstain else UNKNOWN

    def evidence(self, text: str, label: str, most: int = 3) -> tuple[str, ...]:
        """Words of the text that spoke most for the label, the strongest first."""
        column = self.model.labels.index(label)
        lead = self.model.weights - self.model.weights.mean(axis=1, keepdims=True)
        moved = [
            (float(value * lead[place, column]), self.model.terms[place])
            for place, value in self._features(text)
        ]
        words = [(by, term) for by, term in moved if by > 0 and not is_run(term)]
        return tuple(term for _, term in sorted(words, key=lambda w: (-w[0], w[1]))[:most])

    def _logits(self, text: str) -> NDArray[np.float64]:
        found = list(self._features(text))
        logits = self.model.bias.astype(np.float64)
        if found:
            places, values = zip(*found, strict=True)
            logits += np.asarray(values) @ self.model.weights[list(places)].astype(np.float64)
        return logits

    def _features(self, text: str) -> Iterator[tuple[int, float]]:
        for block in counted(text):
            yield from weighed(block, self._place, self.model.idf)


def counted(text: str) -> Counts:
    """Terms of one text; case and forms of a character do not matter."""
    words = _WORD.findall(unicodedata.normalize("NFKC", text[:MAX_TEXT]).casefold())
    pairs = (f"{one} {two}" for one, two in pairwise(words))
    return Counts(Counter([*words, *pairs]), Counter(_runs(words)))


def _runs(words: Iterable[str]) -> Iterator[str]:
    """`#` stands for the edges of a word, and marks a term as one of characters."""
    for word in words:
        framed = f"#{word}#"
        for size in _RUNS:
            for at in range(max(1, len(framed) - size + 1)):
                yield f"#{framed[at : at + size]}"


def is_run(term: str) -> bool:
    """Whether a term is a run of characters: no word begins with `#`."""
    return term.startswith("#")


def weighed(counts: Counter[str], place: Mapping[str, int], idf: Floats) -> list[tuple[int, float]]:
    """One block: (1 + ln n) * idf of each known term, divided by their length."""
    known = [(place[term], n) for term, n in counts.items() if term in place]
    if not known:
        return []
    places = [at for at, _ in known]
    values = (1 + np.log([n for _, n in known])) * idf[places]
    values /= np.sqrt(np.square(values).sum())
    return list(zip(places, values.tolist(), strict=True))


def softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Over the last axis."""
    raised = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=-1, keepdims=True))


def _parsed(raw: bytes) -> TextModel:
    told = orjson.loads(raw)
    if told["format"] != FORMAT:
        raise ValueError(f"its format is {told['format']}, not {FORMAT}")
    labels, terms = tuple(told["labels"]), tuple(told["terms"])
    weights = _unpacked(told["weights"]).reshape(len(terms), len(labels))
    idf, bias = _unpacked(told["idf"]), _unpacked(told["bias"])
    if len(idf) != len(terms) or len(bias) != len(labels):
        raise ValueError("its arrays do not fit its terms and labels")
    return TextModel(labels, terms, idf, weights, bias, told["temperature"], told["abstain"])


def _packed(array: Floats) -> str:
    return b64encode(np.ascontiguousarray(array, dtype="<f4").tobytes()).decode()


def _unpacked(packed: str) -> Floats:
    return np.frombuffer(b64decode(packed), dtype="<f4").astype(np.float32)
