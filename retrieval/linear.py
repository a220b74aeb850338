"""A fitted linear model as JSON: features, means, scales, weights, and where they come from."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files

import numpy as np
import orjson
from numpy.typing import NDArray


class ModelError(Exception):
    """A fitted model does not fit the code that uses it; fit it again."""


@dataclass(frozen=True, slots=True)
class LinearModel:
    """logit = bias + sum of weight * (feature - mean) / scale."""

    features: tuple[str, ...]
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    weight: tuple[float, ...]
    bias: float
    origin: Mapping[str, object]  # data hash, counts, scores at fitting time

    def require(self, features: Sequence[str]) -> None:
        """Raises ModelError unless the model was fitted on exactly these features."""
        if tuple(features) != self.features:
            raise ModelError(
                f"the model was fitted on {', '.join(self.features)}; the code computes "
                f"{', '.join(features)}: run `python -m evals.fit_retrieval`"
            )

    def logits(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Rows (n, features) to logits (n,)."""
        centred = (rows - np.array(self.mean)) / np.array(self.scale)
        return np.asarray(centred @ np.array(self.weight) + self.bias, dtype=np.float64)

    def probability(self, row: Sequence[float]) -> float:
        """Of one row, 0..1."""
        logit = float(self.logits(np.array([row], dtype=np.float64))[0])
        return float(1 / (1 + np.exp(-np.clip(logit, -60, 60))))

    @property
    def digest(self) -> str:
        """Names the model in records: the first twelve hex digits of the SHA-256 of its JSON."""
        return hashlib.sha256(self.to_json()).hexdigest()[:12]

    def to_json(self) -> bytes:
        return orjson.dumps(self, option=orjson.OPT_INDENT_2)


def load_model(package: str, name: str) -> LinearModel:
    """The model that ships with `package` as `models/<name>.json`."""
    held = orjson.loads((files(package) / "models" / f"{name}.json").read_bytes())
    vectors = {k: tuple(held[k]) for k in ("features", "mean", "scale", "weight")}
    return LinearModel(**vectors, bias=held["bias"], origin=held["origin"])
