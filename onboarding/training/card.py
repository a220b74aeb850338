"""What stands beside a model's files, for people."""

from __future__ import annotations

from collections.abc import Sequence

from onboarding.training.calibrating import Calibration
from onboarding.training.gate import Evidence, Verdict
from onboarding.training.rows import Row


def model_card(
    name: str,
    rows: Sequence[Row],
    found: Evidence,
    quality: Calibration,
    verdict: Verdict,
) -> str:
    """Markdown."""
    checks = "\n".join(
        f"| {check.code.value} | {'yes' if check.passed else 'no'} | {check.told} |"
        for check in verdict.checks
    )
    bins = "\n".join(
        f"| {bar.chance:.3f} | {bar.share:.3f} | {bar.low:.3f} to {bar.high:.3f} | {bar.count} |"
        for bar in quality.bins
    )
    return f"""# {name}

Ranks the short list of next steps by P({found.rung.value}), less effort.
{len(rows)} rows of {found.users} users, {rows[0].at:%Y-%m-%d} to {rows[-1].at:%Y-%m-%d}.
No sensitive field, name, place or text is among its columns. It is not meant for anything else
than the order of next steps.

## Gate

Refused: {verdict.refusal.value if verdict.refusal else "no"}

| check | passed | |
|---|---|---|
{checks}

## Calibration

Brier {quality.brier:.4f}, skill {quality.skill:.3f}, ECE {quality.ece:.4f} on the latest rows.

| mean chance | share | 95 % | rows |
|---|---|---|---|
{bins}
"""
