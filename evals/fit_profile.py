"""The shipped weights of profile classifiers, fitted on people of simulated worlds.

python -m evals.fit_profile --out onboarding/profile/weights

Fitted on some worlds, scored on others: the worlds differ in how traits show and how common they
are. What people declare is what is fitted, a role wrong in 15 % of them; scores are against truth.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from evals.onboarding_profile import FITTED, TESTED, figures
from evals.profile_people import lived, rows
from onboarding.profile.catalogue import load_evidence, load_facts
from onboarding.profile.fitting import fit, with_scores
from onboarding.profile.model import FactModel, dump_weights


def main(
    out: Annotated[Path, typer.Option(help="Folder for NAME.json.", file_okay=False)],
    count: Annotated[int, typer.Option(help="People a world to fit on.", min=50)] = 300,
    others: Annotated[int, typer.Option(help="People a world to score on.", min=50)] = 1000,
) -> None:
    """Fit, score and write one file a fact."""
    facts = load_facts()
    spec = load_evidence(facts)
    fitted, tested = lived(FITTED, count, spec), lived(TESTED, others, spec)
    out.mkdir(parents=True, exist_ok=True)
    for name, kind in facts.facts.items():
        weights = fit(name, kind, rows(fitted, name))
        told = figures(FactModel.from_weights(weights), fitted, tested)
        told |= {"fitted_on": list(FITTED), "tested_on": list(TESTED), "people_a_world": count}
        weights = with_scores(weights, told)
        (out / f"{name}.json").write_bytes(dump_weights(weights))
        typer.echo(f"{name}: {told}")


if __name__ == "__main__":
    typer.run(main)
