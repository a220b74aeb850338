"""thresholds.toml and a document of figures -> which thresholds are missed."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from typing_extensions import override


class ThresholdsError(Exception):
    """The file of thresholds cannot be used; says what, where and how to mend it."""


@dataclass(frozen=True, slots=True)
class Missed:
    """One threshold that a figure does not reach; `bound` is `at_least` or `at_most`."""

    figure: str
    value: float | None  # None: the run has no such figure
    bound: str
    threshold: float

    @override
    def __str__(self) -> str:
        got = "is absent" if self.value is None else f"is {self.value:.4f}"
        return f"{self.figure} {got}, wanted {self.bound.replace('_', ' ')} {self.threshold:g}"


def check(document: Mapping[str, Any], thresholds: Path | None = None) -> list[Missed]:
    """Thresholds that are missed, in the order of the file; the shipped file where none is given.

    A figure is named by its keys joined with `/`; one that is absent is missed unless its table
    says `optional = true`, as a corpus may lack that kind of question. Raises ThresholdsError.
    """
    rules = _rules(thresholds)
    missed = []
    for figure, rule in rules.items():
        value = _value(document, figure)
        if value is None and rule.get("optional"):
            continue
        for bound in ("at_least", "at_most"):
            if bound in rule and not _holds(value, bound, rule[bound]):
                missed.append(Missed(figure, value, bound, float(rule[bound])))
    return missed


def _holds(value: float | None, bound: str, threshold: float) -> bool:
    if value is None or math.isnan(value):
        return False
    return value >= threshold if bound == "at_least" else value <= threshold


def _rules(path: Path | None) -> Mapping[str, dict[str, Any]]:
    name = path or "evals/thresholds.toml"
    try:
        text = (path or files("evals") / "thresholds.toml").read_text("utf-8")
        rules = tomllib.loads(text)
    except OSError as error:
        raise ThresholdsError(f"{name} cannot be read: {error.strerror}") from error
    except tomllib.TOMLDecodeError as error:
        raise ThresholdsError(f"{name}: {error}") from error
    for figure, rule in rules.items():
        if not isinstance(rule, dict) or not {"at_least", "at_most"} & rule.keys():
            raise ThresholdsError(f"{name}: [{figure!r}] needs at_least or at_most, a number")
    return rules


def _value(document: Mapping[str, Any], figure: str) -> float | None:
    found: Any = document
    for key in figure.split("/"):
        if not isinstance(found, Mapping) or key not in found:
            return None
        found = found[key]
    if isinstance(found, Mapping):
        found = found.get("value")
    return float(found) if isinstance(found, int | float) else None
