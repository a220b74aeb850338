"""cues -> the probability of every value of one fact: a log-linear model over named cues.

    nominal   p(k) proportional to exp(bias_k + sum of weight_kf * cue_f)
    ordinal   P(y <= k) = sigmoid(cut_k - sum of weight_f * cue_f)   (McCullagh, 1980)

Scores are divided by a temperature that was fitted on people whom the weights had not seen (Guo et
al., ICML 2017).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from onboarding.profile.catalogue import FactCatalogue
from onboarding.profile.errors import ModelFileError
from onboarding.profile.evidence import Cues, families

Array = NDArray[np.float64]
Share = Annotated[float, Field(ge=0, le=1)]


class Weights(BaseModel):
    """What a file of weights holds. `weights` has a row a value (nominal), else one row; `bias` is
    the cuts of an ordinal model. `abstain_below` gave at most 10 % errors among what was kept;
    `data` is the hash of the rows, `scores` what was measured on others."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: Literal[1] = 1
    fact: str
    kind: Literal["nominal", "ordinal"]
    values: tuple[str, ...]
    features: tuple[str, ...]
    weights: tuple[tuple[float, ...], ...]
    bias: tuple[float, ...]
    temperature: float = Field(gt=0)
    abstain_below: Share
    data: str
    scores: Mapping[str, JsonValue] = Field(default_factory=dict)


class Spoke(NamedTuple):
    """A cue, and by how much it moved the log-probability of the value."""

    cue: str
    gain: float


@dataclass(frozen=True, slots=True)
class FactModel:
    """Weights made ready to be used; `of` is what the file says, `made_by` names this version of
    them in what they infer."""

    of: Weights
    matrix: Array
    bias: Array
    index: Mapping[str, int]
    made_by: str

    @classmethod
    def from_weights(cls, of: Weights) -> FactModel:
        index = {name: at for at, name in enumerate(of.features)}
        weights, bias = np.array(of.weights, dtype=float), np.array(of.bias, dtype=float)
        return cls(of, weights, bias, index, f"model/{of.fact}#{digest_of(dump_weights(of))}")

    def odds(self, cues: Cues) -> dict[str, float]:
        """Sum to 1; in the order of the values."""
        shares = self.shares(self.vector(cues)[None, :])[0]
        return {value: float(share) for value, share in zip(self.of.values, shares, strict=True)}

    def vector(self, cues: Cues) -> Array:
        """Cues that the model does not know say nothing."""
        row = np.zeros(len(self.of.features))
        for name, cue in cues.items():
            if name in self.index:
                row[self.index[name]] = cue.value
        return row

    def shares(self, rows: Array, temperature: float | None = None) -> Array:
        """(n, features) -> (n, values)."""
        heat = self.of.temperature if temperature is None else temperature
        shape = nominal if self.of.kind == "nominal" else ordinal
        return shape(rows @ self.matrix.T, self.bias, heat)

    def spoke(self, cues: Cues, value: str, most: int = 3) -> tuple[Spoke, ...]:
        """The cues that spoke for a value, strongest first: what the log-probability loses when
        one is taken away."""
        row, at = self.vector(cues), self.of.values.index(value)
        held = np.flatnonzero(row)
        without = np.repeat(row[None, :], len(held) + 1, axis=0)
        without[np.arange(len(held)), held] = 0.0
        logs = np.log(self.shares(without)[:, at] + 1e-12)
        gains = [
            Spoke(self.of.features[place], float(logs[-1] - log))
            for place, log in zip(held, logs[:-1], strict=True)
        ]
        best = sorted((each for each in gains if each.gain > 0), key=lambda s: (-s.gain, s.cue))
        return tuple(best[:most])


def nominal(scores: Array, bias: Array, temperature: float) -> Array:
    logits = (scores + bias) / temperature
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    normed: Array = shares / shares.sum(axis=1, keepdims=True)
    return normed


def ordinal(scores: Array, cuts: Array, temperature: float) -> Array:
    below = 1 / (1 + np.exp(-np.clip((cuts[None, :] - scores) / temperature, -40, 40)))
    edges = np.hstack([np.zeros((len(below), 1)), below, np.ones((len(below), 1))])
    shares: Array = np.maximum(np.diff(edges, axis=1), 1e-12)
    normed: Array = shares / shares.sum(axis=1, keepdims=True)
    return normed


Models = Mapping[str, FactModel]
"""By name of the fact."""


def load_models(facts: FactCatalogue, folder: Path | None = None) -> dict[str, FactModel]:
    """The shipped weights when no folder is given; a fact without a file is not inferred. Raises
    ModelFileError for weights that do not fit the facts."""
    found = {}
    for name in facts.facts:
        content = _content(name, folder)
        if content is not None:
            found[name] = FactModel.from_weights(parse_weights(f"{name}.json", content, facts))
    return found


def parse_weights(file: str, content: bytes, facts: FactCatalogue) -> Weights:
    """Raises ModelFileError."""
    try:
        weights = Weights.model_validate(orjson.loads(content))
    except (orjson.JSONDecodeError, ValidationError) as failure:
        raise ModelFileError(file, f"no weights: {failure}") from failure
    reason = _misfit(weights, facts)
    if reason is not None:
        raise ModelFileError(file, reason)
    return weights


def dump_weights(weights: Weights) -> bytes:
    """One line a row, so that a refit can be read as a difference."""
    plain: dict[str, Any] = weights.model_dump(mode="json")
    return orjson.dumps(plain, option=orjson.OPT_INDENT_2) + b"\n"


def digest_of(content: bytes) -> str:
    """Names a version of a file."""
    return sha256(content).hexdigest()[:12]


def _content(name: str, folder: Path | None) -> bytes | None:
    place = (folder or files("onboarding.profile") / "weights").joinpath(f"{name}.json")
    return place.read_bytes() if place.is_file() else None


def _misfit(of: Weights, facts: FactCatalogue) -> str | None:
    kind = facts.facts.get(of.fact)
    if kind is None:
        return f"there is no fact {of.fact}"
    if (of.kind, of.values) != (kind.kind, tuple(kind.values)):
        return f"its values are not those of {of.fact}: fit it again"
    strange = families(of.features) - set(kind.cues)
    if strange:
        return f"{of.fact} may not be inferred from {', '.join(sorted(strange))}"
    rows, cuts = (
        (len(of.values), len(of.values)) if of.kind == "nominal" else (1, len(of.values) - 1)
    )
    shaped = len(of.weights) == rows and all(len(r) == len(of.features) for r in of.weights)
    return None if shaped and len(of.bias) == cuts else "the weights have the wrong shape"
