"""rows -> a candidate version and what can be said of it before anybody is shown its order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any, Final

import numpy as np
import orjson
from numpy.typing import NDArray

from onboarding.ranking import Version, opened, sealed
from onboarding.ranking.calibration import Beta
from onboarding.ranking.version import Scorer, Trees
from onboarding.training.calibrating import Calibration, chosen, measured
from onboarding.training.card import model_card
from onboarding.training.fitting import Fitted, Recipe, fit_encoded, resampled
from onboarding.training.folds import folds_by_group
from onboarding.training.frame import Frame, framed
from onboarding.training.gate import Evidence, Verdict, judged
from onboarding.training.policies import Compared, Request, compared
from onboarding.training.rows import Row

FOLDS: Final = 5
LAST: Final = 0.5
"""Share of the rows, the latest, that scores are calibrated on."""
Numbers = NDArray[np.float64]
Latency = Callable[[Version], float]
"""p99 in milliseconds of a whole decision with its explanation."""


@dataclass(frozen=True, slots=True)
class Learned:
    """`files` are sealed and can be opened; `verdict` says whether they may serve."""

    files: dict[str, bytes]
    evidence: Evidence
    calibration: Calibration
    compared: Compared
    verdict: Verdict


def learn(rows: Sequence[Row], request: Request, latency: Latency | None = None) -> Learned:
    """Raises ValueError without rows, or where all labels are alike."""
    frame = framed(rows, request.rung, FOLDS, request.seed)
    if not 0 < frame.labels.sum() < len(frame.labels):
        raise ValueError("all labels are alike: there is nothing to learn from")
    chances = out_of_fold(frame, request.recipe)
    by_policy = compared(frame, chances, request)
    calibration = _calibration(frame, chances, request)
    shown = calibration(chances[frame.chosen])
    quality, base = measured(shown, frame.labels), _base_rate(frame)
    files = _files(frame, calibration, quality, request)
    p99 = latency(opened(files)) if latency else None
    found = _evidence(frame, by_policy, quality, base, p99)
    verdict = judged(found)
    card = model_card(request.name, rows, found, quality, verdict)
    return Learned(
        _with_card(files, card, verdict, request, frame), found, quality, by_policy, verdict
    )


def out_of_fold(frame: Frame, recipe: Recipe) -> Numbers:
    """Chance of every line of the table, by a model that no row of its account was fitted on."""
    chances = np.zeros(len(frame.table))
    for fold in np.unique(frame.folds):
        inside, out = np.flatnonzero(frame.folds != fold), np.flatnonzero(frame.folds == fold)
        text, start = _fitted(frame, inside, recipe)
        scorer = Scorer(Trees(text), start, frame.encoding.fits)
        lines = frame.lines(out)
        chances[lines] = 1 / (1 + np.exp(-scorer.raw(frame.table[lines])))
    return chances


def _fitted(frame: Frame, places: NDArray[np.intp], recipe: Recipe) -> Fitted:
    table, labels = frame.table[frame.chosen[places]], frame.labels[places]
    return fit_encoded(table, labels, frame.encoding, recipe)


def _calibration(frame: Frame, chances: Numbers, request: Request) -> Beta:
    """The map that serves the latest rows best, by chances of models that do not know them."""
    late = np.arange(int(len(frame.rows) * (1 - LAST)), len(frame.rows))
    folds = folds_by_group([frame.rows[at].account for at in late], FOLDS, request.seed)
    return chosen(chances[frame.chosen[late]], frame.labels[late], folds)


def _base_rate(frame: Frame) -> float:
    """Brier score of the share of the other accounts: what the curated order knows of chances."""
    told = np.zeros(len(frame.labels))
    for fold in np.unique(frame.folds):
        told[frame.folds == fold] = frame.labels[frame.folds != fold].mean()
    return float(np.square(told - frame.labels).mean())


def _files(
    frame: Frame, calibration: Beta, quality: Calibration, request: Request
) -> dict[str, bytes]:
    everything = np.arange(len(frame.rows))
    accounts = [row.account for row in frame.rows]
    drawn = resampled(accounts, request.bootstraps, request.seed)
    fitted = {"champion.txt": _fitted(frame, everything, request.recipe)}
    fitted |= {
        f"bootstrap-{n}.txt": _fitted(frame, at, request.recipe) for n, at in enumerate(drawn)
    }
    files = {name: each.text.encode() for name, each in fitted.items()}
    files["starts.json"] = _json([tuple(each.start) for each in fitted.values()])
    files["encoding.json"] = _json(frame.encoding.told())
    files["calibration.json"] = _json(calibration.told())
    files["metrics.json"] = _json(quality.told())
    return sealed(files, _about(frame, request))


def _about(frame: Frame, request: Request) -> dict[str, Any]:
    """Where it comes from: the window, the features' definitions and the hash of the rows."""
    told = [(r.decision, r.action, r.completed, r.activated) for r in frame.rows]
    specs = sorted({row.spec for row in frame.rows})
    return {
        "name": request.name,
        "rung": request.rung.value,
        "spec": specs[-1],
        "specs": specs,
        "bootstraps": request.bootstraps,
        "window": [frame.rows[0].at.isoformat(), frame.rows[-1].at.isoformat()],
        "rows": len(frame.rows),
        "users": len({row.user for row in frame.rows}),
        "data": sha256(orjson.dumps(told)).hexdigest(),
        "seed": request.seed,
    }


def _evidence(
    frame: Frame, by_policy: Compared, quality: Calibration, base: float, p99: float | None
) -> Evidence:
    return Evidence(
        rung=by_policy.rung,
        users=len({row.user for row in frame.rows}),
        labels=int(frame.labels.sum()),
        unsupported=by_policy.unsupported,
        ess=by_policy.candidate.ess,
        max_weight=by_policy.candidate.max_weight,
        gain=by_policy.gain,
        low=by_policy.low,
        ece=quality.ece,
        brier=quality.brier,
        champion_brier=base,
        segments=by_policy.segments,
        parity=by_policy.parity,
        latency_ms=p99,
    )


def _with_card(
    files: dict[str, bytes], card: str, verdict: Verdict, request: Request, frame: Frame
) -> dict[str, bytes]:
    bare = {name: content for name, content in files.items() if name != "manifest.json"}
    gate = _json({"refusal": verdict.refusal, "checks": [asdict(c) for c in verdict.checks]})
    told = {"card.md": card.encode(), "gate.json": gate}
    return sealed({**bare, **told}, _about(frame, request))


def _json(told: Any) -> bytes:
    return orjson.dumps(told, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS)
