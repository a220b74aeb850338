"""Fit the typed planner: which tool is meant, and whether to start it at all.

    python -m evals.fit_planner --data ../shared/data --cases tests/agent/acting/development

Every third tool, service and case is held out by the hash of its name, and the figures on that part
are printed beside BM25 and the encoder alone. Only with `--out` are the models written.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.table import Table
from scipy.optimize import minimize

from agent.acting.choosing import Candidate, Chooser
from agent.acting.deciding import STARTING, may_start, starting_row
from agent.acting.lookup import KnownLookup
from agent.acting.phrasing import phrasing
from agent.acting.routing import FEATURES
from agent.acting.said import Said, listen
from agent.acting.speech import act_of
from evals.fitting import Ranked, fit_classifier
from evals.planner_data import Lesson, bfcl, cases, dialogues, metatool, strangers
from evals.suites.tools import Case, World
from evals.suites.tools_catalogue import TOOLS, load_catalogue
from evals.suites.tools_running import SUBJECT, TENANT, WorldLookup
from guardrails.patterns import PatternRedactor
from retrieval.encoder import load_encoder
from retrieval.linear import LinearModel
from retrieval.types import Encoder
from tools.held_memory import MemoryHeldValues
from tools.vault_memory import MemoryVault

WEIGHTS = {"own": 10.0, "metatool": 0.3, "bfcl": 1.0, "sgd": 0.5}
"""Of a lesson: the sets are far from equal in number, and only ours have phrases."""
RIDGE = 3.0
PRIOR = {
    "cosine_title": 4.0, "cosine_phrase": 6.0, "cosine_about": 2.0, "bm25": 3.0, "title_said": 3.0,
    "said_covered": 2.0, "phrase_overlap": 4.0, "verb": 2.0, "opposite": -2.0, "fitting": 1.0,
    "foreign": -3.0, "complete": 1.0, "explained": 4.0, "plural": 1.0,
}  # fmt: skip
"""Weights by what each feature was made for, all in the same unit."""
LEEWAY = (0.6, 2.0)
"""How far a fit may go from PRIOR: the features overlap, and on a few hundred requests one of them
would otherwise stand in for another with its sign turned round."""
_NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)
_BASELINES = ("bm25", "cosine_about")


@dataclass(frozen=True, slots=True)
class Worked:
    """A lesson and its candidates, best first."""

    lesson: Lesson
    candidates: Sequence[Candidate]

    @property
    def rows(self) -> Any:
        return np.array([c.scored.features for c in self.candidates])

    @property
    def right(self) -> Any:
        return np.array([c.manifest.name == self.lesson.meant for c in self.candidates])


def main(
    data: Annotated[Path, typer.Option(help="Folder of the public sets.")],
    cases_: Annotated[Path, typer.Option("--cases", help="Folder of development cases.")],
    out: Annotated[Path | None, typer.Option(help="Folder to write the models to.")] = None,
) -> None:
    """Fit both models and print how they do on the part that was held out."""
    with TemporaryDirectory() as cache:
        encoder = load_encoder(cache=Path(cache))
        router, starter = asyncio.run(_fit(data, cases_, encoder))
    if out is not None:
        for name, model in (("router", router), ("starter", starter)):
            (out / f"{name}.json").write_bytes(model.to_json() + b"\n")


async def _fit(data: Path, folder: Path, encoder: Encoder) -> tuple[LinearModel, LinearModel]:
    own = list(cases(folder))
    public = [
        *metatool(data / "tools_metatool"),
        *bfcl(data / "tools_bfcl"),
        *dialogues(data / "tools_sgd"),
    ]
    worked = await _worked(own, public, Chooser(encoder, _plain()))
    origin = _origin(data, folder, worked)
    lists = [
        Ranked(w.rows, w.right, WEIGHTS[w.lesson.source])
        for w in worked
        if not w.lesson.held_out and w.lesson.meant is not None
    ]
    router = _fit_router(lists, origin)
    _show("Which tool: top 1 on the held-out part", _accuracies(worked, router))
    again = Chooser(encoder, router)
    odd = list(strangers(data, load_catalogue(folder / TOOLS)))
    judged = [*await _worked(own, odd, again), *await _worked([], public[::7], again)]
    starter = _starter(judged, origin)
    _show("Whether to start: on the held-out part", _starts(judged, starter))
    return router, starter


def _fit_router(lists: Sequence[Ranked], origin: dict[str, object]) -> LinearModel:
    """Cross entropy of the softmax, with a ridge towards PRIOR: where the sets are silent about a
    feature, what it was made for stands."""
    prior = np.array([PRIOR[name] for name in FEATURES])
    usable = [(r.rows, r.right / r.right.sum(), r.weight) for r in lists if r.right.any()]
    total = sum(weight for *_, weight in usable)

    def loss(weights: Any) -> tuple[float, Any]:
        away = weights - prior
        value, slope = RIDGE * float(away @ away), 2 * RIDGE * away
        for rows, target, weight in usable:
            logits = rows @ weights
            shares = np.exp(logits - logits.max())
            shares /= shares.sum()
            value -= weight * float(target @ np.log(shares + 1e-12))
            slope = slope + weight * (rows.T @ (shares - target))
        return value / total, slope / total

    bounds = [tuple(sorted((p * LEEWAY[0], p * LEEWAY[1]))) for p in prior]
    fitted = minimize(loss, prior, jac=True, method="L-BFGS-B", bounds=bounds).x
    zeros, ones = (tuple(float(n) for _ in FEATURES) for n in (0, 1))
    weights = tuple(round(float(w), 4) for w in fitted)
    return LinearModel(FEATURES, zeros, ones, weights, 0.0, origin)


def _plain() -> LinearModel:
    """PRIOR alone: candidates to begin with."""
    zeros, ones = (tuple(float(n) for _ in FEATURES) for n in (0, 1))
    return LinearModel(FEATURES, zeros, ones, tuple(PRIOR[n] for n in FEATURES), 0.0, {})


async def _worked(
    own: Sequence[tuple[Lesson, Case]], public: Iterable[Lesson], chooser: Chooser
) -> list[Worked]:
    words = phrasing("en")
    held, redactor = MemoryHeldValues(MemoryVault()), PatternRedactor()
    done = []
    for lesson, case in [*own, *((lesson, None) for lesson in public)]:
        thread = case.id if case else lesson.text[:40]
        text = await held.hold(TENANT, SUBJECT, thread, lesson.text, redactor.redact(lesson.text))
        known = {h.token: h for h in await held.known(TENANT, thread)}
        world = case.world if case else World(_NOW)
        said: Said = listen(text, known, world.now)
        there = WorldLookup({t.name: t for t in lesson.tools}, world)
        lookup = KnownLookup(there, held, TENANT, SUBJECT, thread)
        found = await chooser.candidates(said, words, lesson.tools, lookup)
        done.append(Worked(lesson, found))
    return done


def _accuracies(worked: Sequence[Worked], router: LinearModel) -> list[list[str]]:
    rows = [["set", "requests", "fitted", *_BASELINES]]
    for source in WEIGHTS:
        mine = [w for w in worked if w.lesson.source == source and w.lesson.held_out]
        mine = [w for w in mine if w.lesson.meant is not None]
        fitted = [w.right[int(np.argmax(router.logits(w.rows)))] for w in mine]
        plain = [
            [w.right[int(np.argmax(w.rows[:, FEATURES.index(name)]))] for w in mine]
            for name in _BASELINES
        ]
        shares = [f"{float(np.mean(hits)) if hits else 0:.3f}" for hits in (fitted, *plain)]
        rows.append([source, str(len(mine)), *shares])
    return rows


def _starter(judged: Sequence[Worked], origin: dict[str, object]) -> LinearModel:
    words = phrasing("en")
    rows, labels, weights = [], [], []
    for one in judged:
        act = act_of(one.lesson.text, words)
        best = one.candidates[0]
        if one.lesson.held_out or not may_start(act, best):
            continue
        if one.lesson.meant is None or one.candidates[0].manifest.name == one.lesson.meant:
            rows.append(starting_row(act, best))
            labels.append(one.lesson.meant is not None)
            weights.append(6.0 if one.lesson.source == "own" else 1.0)
    matrix, truth = np.array(rows), np.array(labels)
    return fit_classifier(STARTING, matrix, truth, np.array(weights), 1.0, origin)


def _starts(judged: Sequence[Worked], starter: LinearModel) -> list[list[str]]:
    rows = [["set", "meant", "started", "nothing meant", "started falsely"]]
    words = phrasing("en")
    for source in dict.fromkeys(w.lesson.source for w in judged):
        mine = [w for w in judged if w.lesson.source == source and w.lesson.held_out]
        started = {True: [], False: []}  # type: dict[bool, list[bool]]
        for one in mine:
            act, best = act_of(one.lesson.text, words), one.candidates[0]
            sure = starter.probability(starting_row(act, best)) >= 0.5  # noqa: PLR2004
            started[one.lesson.meant is not None].append(may_start(act, best) and sure)
        told = [(str(len(s)), f"{float(np.mean(s)) if s else 0:.3f}") for s in started.values()]
        rows.append([source, *told[0], *told[1]])
    return rows


def _origin(data: Path, folder: Path, worked: Sequence[Worked]) -> dict[str, object]:
    digest = hashlib.sha256()
    files = [folder / "utterances.jsonl", folder / TOOLS]
    files += [
        data / name
        for name in (
            "tools_metatool/queries.jsonl", "tools_metatool/tools.jsonl", "tools_bfcl/cases.jsonl",
            "tools_sgd/turns.jsonl", "tools_sgd/services.jsonl", "intents_clinc150/val.jsonl",
        )
    ]  # fmt: skip
    for file in files:
        digest.update(file.read_bytes())
    return {
        "by": "evals.fit_planner",
        "data": digest.hexdigest()[:12],
        "lessons": sum(not w.lesson.held_out for w in worked),
    }


def _show(title: str, rows: Sequence[Sequence[str]]) -> None:
    table = Table(title=title, title_justify="left", box=None)
    for column in rows[0]:
        table.add_column(column)
    for row in rows[1:]:
        table.add_row(*row)
    Console(width=120).print(table)


if __name__ == "__main__":
    typer.run(main)
