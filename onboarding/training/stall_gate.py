"""person-periods -> a candidate model of stalling, and what can be said of it before it serves.

Fitted, calibrated and scored on different people. It stands beside the rule that serves without it
and beside a logistic regression, both calibrated on the same people as itself.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from typing import Any, Final, NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray
from scipy.stats import rankdata

from onboarding.ranking import sealed
from onboarding.ranking.calibration import EDGE, Beta, sigmoid
from onboarding.ranking.version import Trees
from onboarding.training.calibrating import BINS, chosen, measured
from onboarding.training.estimators import ONE_SIDED, Logged, clusters_of, difference
from onboarding.training.fitting import Recipe, fit_table
from onboarding.training.folds import folds_by_group
from onboarding.training.gate import Check, Refusal, Verdict
from onboarding.training.hazard import HAZARD, IDLE, Periods, StallModel, open_stalls
from onboarding.training.stalling import AHEAD, LogisticStalls, RuleStalls

Numbers = NDArray[np.float64]
Marks = NDArray[np.bool_]
RISING: Final = (IDLE, "days_idle")
"""Silence and standstill never lower a risk."""
LEAVES: Final = 200
"""Rows of the table to one of a leaf, within the recipe's and `LEAST_LEAF`."""
LEAST_LEAF: Final = 20
IN_A_BIN: Final = 30
"""People of the test to a bin of the reliability table."""
ASKED: Final = 200
"""Risks that are timed."""
PARTS: Final = 5
"""Of the accounts: three to fit on, one to calibrate on, one to score on."""
OURS, RULE, LOGISTIC, BASE = "hazard model", "rule", "logistic", "base rate"


@dataclass(frozen=True, slots=True)
class Bounds:
    """`people` in all, and as many periods that ended each way. Above this `ece` monitors stop a
    model (design reference, 14); a fifth of 500 people tells no finer. A millisecond of a processor
    is far below what a look at somebody takes."""

    people: int = 500
    labels: int = 200
    ece: float = 0.05
    latency_ms: float = 1.0


@dataclass(frozen=True, slots=True)
class StallRequest:
    """`spec` is the hash of the features' definitions that the columns come from; `until` the day
    up to which periods were followed."""

    name: str
    spec: str
    until: str
    recipe: Recipe = HAZARD
    seed: int = 7


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one contender on people whom nothing was fitted on. `lift` is precision at recall .5 over
    the base, `loss` the log loss."""

    auc: float
    brier: float
    ece: float
    lift: float
    loss: float


@dataclass(frozen=True, slots=True)
class LearnedStalls:
    """`files` are sealed and can be opened; `verdict` says whether they may serve."""

    files: dict[str, bytes]
    figures: Mapping[str, Figures]
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class _Split:
    """Rows by what they are used for; nobody stands in two parts."""

    fit: Marks
    calibrate: Marks
    test: Marks


@dataclass(frozen=True, slots=True)
class _Fitted:
    """The trees as text, their map, and calibrated chances of all rows by contender."""

    text: str
    calibration: Beta
    chances: Mapping[str, Numbers]


class _Gain(NamedTuple):
    """A mean and its standard error, clustered by person."""

    mean: float
    error: float

    @property
    def low(self) -> float:
        """One-sided, 95 %."""
        return self.mean - ONE_SIDED * self.error

    @property
    def high(self) -> float:
        return self.mean + ONE_SIDED * self.error


def learn_stalls(
    periods: Periods, request: StallRequest, bounds: Bounds | None = None
) -> LearnedStalls:
    """Raises ValueError where a part of the people knows one end alone."""
    periods = _telling(periods)
    split = _split(periods, request.seed)
    fitted = _fitted(periods, split, request)
    labels = periods.labels[split.test]
    people = len({p for p, out in zip(periods.persons, split.test, strict=True) if out})
    figures = {
        name: _figures(each[split.test], labels, people) for name, each in fitted.chances.items()
    }
    files = {
        "champion.txt": fitted.text.encode(),
        "calibration.json": _json(fitted.calibration.told()),
        "columns.json": orjson.dumps(periods.names),
    }
    about = _about(periods, request)
    speed = _latency(open_stalls(sealed(files, about)), periods.table[split.test])
    gains = {name: _gain(periods, split, fitted, name) for name in (RULE, LOGISTIC)}
    verdict = _judged(periods, gains, figures[OURS], speed, bounds or Bounds())
    told = {
        "metrics.json": _json({name: asdict(each) for name, each in figures.items()}),
        "gate.json": _json({"refusal": verdict.refusal, "checks": [*map(asdict, verdict.checks)]}),
        "card.md": _card(request, about, figures, verdict).encode(),
    }
    return LearnedStalls(sealed({**files, **told}, about), figures, verdict)


def _telling(periods: Periods) -> Periods:
    """Without columns that never differ."""
    known = np.where(np.isnan(periods.table), np.nan, periods.table)
    differs = [len(np.unique(column[~np.isnan(column)])) > 1 for column in known.T]
    names = tuple(name for name, keeps in zip(periods.names, differs, strict=True) if keeps)
    return replace(periods, names=names, table=periods.table[:, differs])


def _split(periods: Periods, seed: int) -> _Split:
    part = folds_by_group(periods.clusters or periods.persons, PARTS, seed)
    split = _Split(part < PARTS - 2, part == PARTS - 2, part == PARTS - 1)
    for each in (split.fit, split.calibrate, split.test):
        if not 0 < periods.labels[each].sum() < each.sum():
            raise ValueError("too few people: a part of them all came back, or none did")
    return split


def _fitted(periods: Periods, split: _Split, request: StallRequest) -> _Fitted:
    table, labels = periods.table[split.fit], periods.labels[split.fit]
    directions = [int(each in RISING) for each in periods.names]
    leaf = int(np.clip(len(table) // LEAVES, LEAST_LEAF, request.recipe.rows_a_leaf))
    recipe = replace(request.recipe, rows_a_leaf=leaf)
    text = fit_table(table, labels, (), directions, recipe)
    raw = {
        OURS: sigmoid(Trees(text).raw(periods.table)),
        RULE: RuleStalls().risks(periods.names, periods.table),
        LOGISTIC: LogisticStalls(table, labels).risks(periods.table),
    }
    maps = {name: _map(each, periods, split, request.seed) for name, each in raw.items()}
    chances = {name: maps[name](each) for name, each in raw.items()}
    chances[BASE] = np.full(len(periods.labels), float(labels.mean()))
    return _Fitted(text, maps[OURS], chances)


def _map(raw: Numbers, periods: Periods, split: _Split, seed: int) -> Beta:
    people = [p for p, out in zip(periods.persons, split.calibrate, strict=True) if out]
    folds = folds_by_group(people, PARTS, seed)
    return chosen(raw[split.calibrate], periods.labels[split.calibrate], folds)


def _figures(chances: Numbers, labels: Numbers, people: int) -> Figures:
    quality = measured(chances, labels, bins=int(np.clip(people // IN_A_BIN, 3, BINS)))
    return Figures(
        auc=_auc(chances, labels),
        brier=quality.brier,
        ece=quality.ece,
        lift=_precision(chances, labels, 0.5) / float(labels.mean()),
        loss=float(_losses(chances, labels).mean()),
    )


def _auc(chances: Numbers, labels: Numbers) -> float:
    """By ranks; ties count half."""
    gone = labels > 0
    ranks = rankdata(chances)[gone].sum()
    least = gone.sum() * (gone.sum() + 1) / 2
    return float((ranks - least) / (gone.sum() * (~gone).sum()))


def _precision(chances: Numbers, labels: Numbers, recall: float) -> float:
    """Of the shortest list of the likeliest that holds this share of those who are gone."""
    held = np.cumsum(labels[np.argsort(-chances, kind="stable")])
    place = int(np.searchsorted(held, recall * held[-1]))
    return float(held[place] / (place + 1))


def _losses(chances: Numbers, labels: Numbers) -> Numbers:
    inside = np.clip(chances, EDGE, 1 - EDGE)
    return np.asarray(-(labels * np.log(inside) + (1 - labels) * np.log1p(-inside)))


def _judged(
    periods: Periods, gains: Mapping[str, _Gain], ours: Figures, latency_ms: float, bounds: Bounds
) -> Verdict:
    gone = int(periods.labels.sum())
    ends = min(gone, len(periods.labels) - gone)
    people = len(set(periods.persons))
    rule, logistic = gains[RULE], gains[LOGISTIC]
    return Verdict(
        (
            Check(
                Refusal.DATA,
                people >= bounds.people and ends >= bounds.labels,
                f"{people} people, {ends} periods of the rarer end;"
                f" {bounds.people}, {bounds.labels} needed",
            ),
            Check(
                Refusal.VALUE,
                rule.low > 0 and logistic.high >= 0,
                f"log loss below the rule's by {rule.mean:.4f}, lower bound {rule.low:.4f};"
                f" below the logistic one's by {logistic.mean:.4f}, upper {logistic.high:.4f}",
            ),
            Check(Refusal.CALIBRATION, ours.ece <= bounds.ece, f"ECE {ours.ece:.4f}"),
            Check(Refusal.LATENCY, latency_ms <= bounds.latency_ms, f"p99 {latency_ms:.2f} ms"),
        )
    )


def _gain(periods: Periods, split: _Split, fitted: _Fitted, name: str) -> _Gain:
    """Log loss of another less ours on the test people."""
    labels = periods.labels[split.test]
    theirs, ours = (_losses(fitted.chances[n][split.test], labels) for n in (name, OURS))
    people = [p for p, out in zip(periods.persons, split.test, strict=True) if out]
    log = Logged(labels, np.ones(len(labels)), clusters_of(people))
    return _Gain(*difference(theirs, ours, log))


def _latency(model: StallModel, table: Numbers) -> float:
    """p99 in milliseconds of a processor of the risk of one person."""
    taken = []
    for at in range(ASKED):
        began = time.thread_time()
        model.risks(table[at % len(table)][None])
        taken.append(1000 * (time.thread_time() - began))
    return float(np.percentile(taken, 99))


def _about(periods: Periods, request: StallRequest) -> dict[str, Any]:
    """Where it comes from: the window, the features' definitions and the hash of the rows."""
    told = sha256(np.ascontiguousarray(periods.table).tobytes())
    told.update(np.ascontiguousarray(periods.labels).tobytes())
    told.update(orjson.dumps((periods.names, periods.persons)))
    return {
        "name": request.name,
        "kind": "stalls",
        "spec": request.spec,
        "rows": len(periods.labels),
        "users": len(set(periods.persons)),
        "until": request.until,
        "data": told.hexdigest(),
        "seed": request.seed,
    }


def _card(
    request: StallRequest,
    about: Mapping[str, Any],
    figures: Mapping[str, Figures],
    verdict: Verdict,
) -> str:
    """Markdown."""
    contenders = "\n".join(
        f"| {name} | {f.auc:.3f} | {f.brier:.4f} | {f.ece:.4f} | {f.lift:.2f} | {f.loss:.4f} |"
        for name, f in figures.items()
    )
    checks = "\n".join(
        f"| {check.code.value} | {'yes' if check.passed else 'no'} | {check.told} |"
        for check in verdict.checks
    )
    return f"""# {request.name}

P(somebody who used the product does not come back within {AHEAD.days} days), by hours of the first
day and days after it. {about["rows"]} periods of {about["users"]} people who agreed to training,
up to {request.until}. Fitted, calibrated and scored on different people.
It says when somebody may need a word; it is not meant for anything else.

## Gate

Refused: {verdict.refusal.value if verdict.refusal else "no"}

| check | passed | |
|---|---|---|
{checks}

## On people whom nothing was fitted on

| | AUC | Brier | ECE | lift | log loss |
|---|---|---|---|---|---|
{contenders}
"""


def _json(told: Any) -> bytes:
    return orjson.dumps(told, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS)
