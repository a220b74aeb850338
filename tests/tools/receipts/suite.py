"""The mutation suite: so many tampered files, and whole ones between them, each verified."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random

from tests.tools.receipts.mutations import KINDS
from tests.tools.receipts.scenes import Case, Scene, build
from tools.receipts.verify import Depth

PER_SCENE = 200
"""Mutations done to one scene."""
WHOLE_EVERY = 10
"""One file in so many is left whole."""


@dataclass
class Outcome:
    """`missed` and `false_alarms` say how to see each again."""

    by_kind: Counter[str] = field(default_factory=Counter)
    whole: int = 0
    missed: list[str] = field(default_factory=list)
    false_alarms: list[str] = field(default_factory=list)


def run(folder: Path, mutations: int, seed: int) -> Outcome:
    """Kinds in turn, so that each has its share."""
    outcome, rng = Outcome(), Random(seed)
    scene = build(folder, rng)
    kinds = list(KINDS)
    for number in range(mutations):
        if number and number % PER_SCENE == 0:
            scene = build(folder, rng)
        kind, depth = kinds[number % len(kinds)], rng.choice(list(Depth))
        if number % WHOLE_EVERY == 0:
            _spare(scene, rng, depth, outcome)
        tampered = KINDS[kind](scene, rng)
        report = tampered.case.verify(folder / "case.jsonl", depth)
        found = {failure.failed for failure in report.failures}
        outcome.by_kind[kind] += 1
        if not tampered.judged(found):
            wanted = sorted(tampered.required)
            outcome.missed.append(f"seed {seed}, {number}, {kind}: {sorted(found)}, not {wanted}")
    return outcome


def _spare(scene: Scene, rng: Random, depth: Depth, outcome: Outcome) -> None:
    report = harmless(scene, rng).verify(scene.folder / "whole.jsonl", depth)
    outcome.whole += 1
    if not report.ok:
        outcome.false_alarms.append(f"{report.failures}")


def harmless(scene: Scene, rng: Random) -> Case:
    """Whole files: held against what was kept, without some checkpoints, a journal erased."""
    case = scene.case
    if rng.random() < 0.5:
        case = replace(case, notes=scene.heads)
    if rng.random() < 0.5:
        erased = {"salt": None, "args": None}
        rows = (row | (erased if rng.random() < 0.5 else {}) for row in scene.rows)
        case = replace(case, rows=tuple(rows))
    if rng.random() < 0.5:
        gone = [place for place in case.checkpoints() if rng.random() < 0.5]
        kept = (line for place, line in enumerate(case.lines) if place not in gone)
        case = replace(case, lines=tuple(kept))
    if rng.random() < 0.2:
        case = replace(case, lines=(*case.lines[:-1], case.lines[-1].removesuffix(b"\n")))
    return case
