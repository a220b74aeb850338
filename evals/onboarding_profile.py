"""Profile classifiers on people whom nobody fitted on: accuracy, calibration, abstention, beside
the most common value and plain rules; what a tenant's own facts add; what shows a region.

python -m evals.onboarding_profile
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import numpy as np
import orjson
import typer

from evals.profile_people import Lived, by_rule, labels, lived, rows, scored
from evals.profile_worlds import REGIONS
from onboarding.profile.calibration import Scored, accuracy, brier, ece
from onboarding.profile.catalogue import FactCatalogue, FactKind, Texts, load_evidence, load_facts
from onboarding.profile.fitting import MOST_ERRORS, Penalty, Row, fit, refit
from onboarding.profile.model import FactModel, load_models
from onboarding.types import CONFIDENT

FITTED = tuple(range(1, 21))
TESTED = tuple(range(101, 109))
OWN = 201
"""The world of a tenant that has some declared facts of its own."""


def measured(count: int = 500, own: int = 120, seeds: Sequence[int] = TESTED) -> dict[str, Any]:
    """Of the shipped weights. `own`: how many declared facts the tenant of the refit has."""
    facts = load_facts()
    spec = load_evidence(facts)
    models, tested = load_models(facts), lived(seeds, count, spec)
    fitted = lived(FITTED, max(count // 20, 5), spec)  # what is most common
    return {
        "seeds": list(seeds),
        "people_a_world": count,
        "facts": {name: figures(model, fitted, tested) for name, model in models.items()},
        "own_facts": _own_facts(facts, models, lived((OWN,), count + own, spec), own),
        "region_probe": probe(facts, tested),
    }


def figures(model: FactModel, fitted: Sequence[Lived], tested: Sequence[Lived]) -> dict[str, Any]:
    """Against the truth of `tested`."""
    judged, name = scored(model, tested), model.of.fact
    common = _most_common(fitted, name)
    kept = judged.confidence >= max(model.of.abstain_below, CONFIDENT)
    wrong = 1 - float(judged.right[kept].mean()) if kept.any() else 0.0
    by_rules = [by_rule(name, e.cues, common) == e.someone.truth[name] for e in tested]
    return {
        "n": len(tested),
        "accuracy": round(accuracy(judged), 4),
        "majority": round(_share(e.someone.truth[name] == common for e in tested), 4),
        "rules": round(_share(by_rules), 4),
        "ece": round(ece(judged), 4),
        "brier": round(brier(judged), 4),
        "brier_prior": round(brier(_prior(model, fitted, judged)), 4),
        "kept": round(float(kept.mean()), 4),
        "wrong_among_kept": round(wrong, 4),
        "above_0.6": round(float((judged.confidence >= CONFIDENT).mean()), 4),
    }


def probe(facts: FactCatalogue, of: Sequence[Lived]) -> dict[str, Any]:
    """What a classifier of the same kind can tell of the region from all cues that models see."""
    say = Texts(en="{value}", de="{value}")
    cues = tuple(facts.cues)
    kind = FactKind(kind="nominal", cues=cues, says=say, values=dict.fromkeys(REGIONS, say))
    some = [Row(e.cues, e.someone.region, e.someone.person.user) for e in of]
    half = len(some) // 2
    model = FactModel.from_weights(fit("region", kind, some[:half], Penalty(20.0)))
    right = [max(o := model.odds(r.cues), key=o.__getitem__) == r.value for r in some[half:]]
    values = [row.value for row in some[:half]]
    common = max(REGIONS, key=values.count)
    return {
        "n": half,
        "accuracy": round(_share(right), 4),
        "majority": round(_share(row.value == common for row in some[half:]), 4),
    }


def _own_facts(
    facts: FactCatalogue, models: Mapping[str, FactModel], of: Sequence[Lived], own: int
) -> dict[str, Any]:
    """Shipped weights, weights of the tenant's few facts alone, and both together."""
    few, others = of[:own], of[own:]
    found = {}
    for name, shipped in models.items():
        kind = facts.facts[name]
        mine = [
            Row(r.cues, r.value, e.someone.person.user)
            for r, e in zip(rows(few, name), few, strict=True)
        ]
        contenders = {
            "shipped": shipped,
            "alone": FactModel.from_weights(fit(name, kind, mine)),
            "refit": FactModel.from_weights(refit(name, kind, mine, shipped.of)),
        }
        found[name] = {
            way: {"accuracy": round(accuracy(s), 4), "ece": round(ece(s), 4)}
            for way, s in ((w, scored(m, others)) for w, m in contenders.items())
        }
    return {"declared": own, "n": len(others), "facts": found}


def _prior(model: FactModel, fitted: Sequence[Lived], judged: Scored) -> Scored:
    counts = np.bincount(
        labels(fitted, model.of.fact, model.of.values), minlength=len(model.of.values)
    )
    return Scored(np.tile(counts / counts.sum(), (len(judged.labels), 1)), judged.labels)


def _most_common(of: Sequence[Lived], fact: str) -> str:
    values = [each.someone.truth[fact] for each in of]
    return max(sorted(set(values)), key=values.count)


def _share(hits: Any) -> float:
    return float(np.mean(list(hits)))


_COLUMNS = ("accuracy", "majority", "rules", "ece", "brier", "brier_prior")


def told(document: Mapping[str, Any]) -> str:
    """As a table for people."""
    seeds, each = document["seeds"], document["people_a_world"]
    heads = (*_COLUMNS, "kept", "wrong of kept")
    lines = [f"seeds {seeds}, {each} people a world; kept: at most {MOST_ERRORS:.0%} wrong"]
    lines.append(" " * 13 + " ".join(f"{head:>13}" for head in heads))
    for name, of in document["facts"].items():
        values = [of[key] for key in (*_COLUMNS, "kept", "wrong_among_kept")]
        lines.append(f"{name:13}" + " ".join(f"{value:13.3f}" for value in values))
    own = document["own_facts"]
    lines.append(f"{own['declared']} declared facts of a tenant, {own['n']} others: accuracy (ECE)")
    for name, ways in own["facts"].items():
        shown = [f"{way} {w['accuracy']:.3f} ({w['ece']:.3f})" for way, w in ways.items()]
        lines.append(f"{name:13}" + "  ".join(shown))
    region = document["region_probe"]
    guessed, common = region["accuracy"], region["majority"]
    lines.append(f"region from the same cues: {guessed:.3f}; the most common one: {common:.3f}")
    return "\n".join(lines)


def main(
    count: Annotated[int, typer.Option(min=50, help="People a world.")] = 500,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Print the figures of the shipped weights."""
    document = measured(count)
    typer.echo(orjson.dumps(document, option=orjson.OPT_INDENT_2) if as_json else told(document))


if __name__ == "__main__":
    typer.run(main)
