"""Whom a message helps: the S-learner beside a response model and chance, on a randomised trial;
and whether the gate refuses to personalise where one message is best for all."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from evals.onboarding.figures import Contender, Part, averaged
from onboarding.ranking import Rung
from onboarding.training import (
    Evidence,
    Logged,
    doubly_robust,
    fit_uplift,
    judged,
    qini,
    snips,
    uplift_at,
)
from onboarding.training.estimators import ONE_SIDED, difference, terms

SEEDS: Final = (51, 52, 53, 54)
ARMS: Final = ("No E-Mail", "Mens E-Mail", "Womens E-Mail")
NONE, MENS, WOMENS = range(3)
FIT: Final = 0.6
Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Trial:
    """Every customer once: features, arm, and whether they came."""

    table: Numbers
    arms: NDArray[np.intp]
    visits: Numbers


def nudges(data: Path) -> list[Part]:
    trial = _read(data / "uplift_hillstrom" / "rows.csv")
    return [_arm(trial, WOMENS), _arm(trial, MENS), _three(trial)]


def _arm(trial: Trial, arm: int) -> Part:
    inside = np.isin(trial.arms, (NONE, arm))
    table, treated = trial.table[inside], trial.arms[inside] == arm
    visits = trial.visits[inside]
    told: dict[str, list[dict[str, float]]] = {}
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        fit = rng.random(len(visits)) < FIT
        s = fit_uplift(table[fit], treated[fit], visits[fit])
        sides = {
            "S-learner": s.uplift(table[~fit]),
            "T-learner": _t_learner(table, treated, visits, fit),
            "response model": s.chances(table[~fit], 1.0),
            "random": rng.random(int((~fit).sum())),
        }
        for name, scores in sides.items():
            out = treated[~fit], visits[~fit]
            figures = {"Qini": qini(scores, *out), "uplift@30 %": uplift_at(scores, *out)}
            told.setdefault(name, []).append(figures)
    effect = visits[treated].mean() - visits[~treated].mean()
    return Part(
        f"{ARMS[arm]} against none",
        f"{len(visits)} rows, {len(SEEDS)} random splits {FIT:.0%}/{1 - FIT:.0%}; average effect"
        f" {100 * effect:+.2f} points",
        tuple(averaged(n, runs, ours=n == "S-learner") for n, runs in told.items()),
        (
            "Qini as the folder's README has it, area between curve and random line per treated"
            " row; there, hidden half: women's .0078 to .0080, men's .0016 to .0030",
        ),
        SEEDS,
    )


def _t_learner(
    table: Numbers, treated: NDArray[np.bool_], visits: Numbers, fit: NDArray[np.bool_]
) -> Numbers:
    """Two logistic models; the S-learner with all products is their shrunk sum."""
    none = np.zeros(len(table), dtype=bool)
    on, off = fit & treated, fit & ~treated
    with_it = fit_uplift(table[on], none[on], visits[on])
    without = fit_uplift(table[off], none[off], visits[off])
    return with_it.chances(table[~fit], 0.0) - without.chances(table[~fit], 0.0)


def _three(trial: Trial) -> Part:
    """The personalised policy over `always men's`, judged as a ranker would be."""
    told: dict[str, list[dict[str, float]]] = {"personalised": [], "always men's": []}
    verdicts: list[str] = []
    for seed in SEEDS:
        personal, always, verdict = _judged(trial, seed)
        told["personalised"].append(personal)
        told["always men's"].append(always)
        verdicts.append(verdict)
    values = {name: averaged(name, runs, ours=False) for name, runs in told.items()}
    return Part(
        "three arms: gate",
        f"{len(trial.visits)} rows, arms drawn alike; {len(SEEDS)} splits",
        tuple(Contender(c.name, c.figures, c.name == "personalised") for c in values.values()),
        (f"the gate said: {', '.join(verdicts)}; it has to refuse each",),
        SEEDS,
        {"refused": all(verdict != "passed" for verdict in verdicts), "verdicts": verdicts},
    )


def _judged(trial: Trial, seed: int) -> tuple[dict[str, float], dict[str, float], str]:
    rng = np.random.default_rng(seed)
    fit = rng.random(len(trial.visits)) < FIT
    table, arms, visits = trial.table[~fit], trial.arms[~fit], trial.visits[~fit]
    q = np.column_stack([_chance(trial, fit, arm) for arm in range(len(ARMS))])
    best, mens = q.argmax(axis=1), np.full(len(table), MENS)
    log = Logged(visits, np.full(len(table), 1 / 3), np.arange(len(table)))
    rows = np.arange(len(table))
    shown = q[rows, arms]
    pair = [((picked == arms).astype(float), q[rows, picked]) for picked in (best, mens)]
    one, other = (terms(log, chances, shown, policy) for chances, policy in pair)
    gain, error = difference(one, other, log)
    values = [doubly_robust(log, chances, shown, policy) for chances, policy in pair]
    found = Evidence(
        rung=Rung.ACTIVATE, users=len(table), labels=int(visits.sum()), unsupported=0.0,
        ess=values[0].ess, max_weight=values[0].max_weight, gain=gain, low=gain - ONE_SIDED * error,
        ece=0.0, brier=0.0, champion_brier=0.0, segments={}, parity=1.0, latency_ms=0.0,
    )  # fmt: skip
    refusal = judged(found).refusal
    own = {"DR value": values[0].value, "SNIPS": snips(log, pair[0][0]).value,
           "gain": gain, "lower bound": found.low}  # fmt: skip
    champion = {"DR value": values[1].value, "SNIPS": snips(log, pair[1][0]).value,
                "gain": 0.0, "lower bound": 0.0}  # fmt: skip
    return own, champion, refusal.value if refusal else "passed"


def _chance(trial: Trial, fit: NDArray[np.bool_], arm: int) -> Numbers:
    mine = fit & (trial.arms == arm)
    model = fit_uplift(trial.table[mine], np.zeros(int(mine.sum()), dtype=bool), trial.visits[mine])
    return model.chances(trial.table[~fit], 0.0)


def _read(file: Path) -> Trial:
    with file.open(encoding="utf-8", newline="") as opened:
        rows = list(csv.DictReader(opened))
    channels = sorted({row["channel"] for row in rows})
    zips = sorted({row["zip_code"] for row in rows})
    table = [
        [
            float(row["recency"]), np.log1p(float(row["history"])), float(row["mens"]),
            float(row["womens"]), float(row["newbie"]),
            *(float(row["channel"] == c) for c in channels),
            *(float(row["zip_code"] == z) for z in zips),
        ]
        for row in rows
    ]  # fmt: skip
    arms = [ARMS.index(row["segment"]) for row in rows]
    return Trial(np.array(table), np.array(arms), np.array([float(r["visit"]) for r in rows]))
