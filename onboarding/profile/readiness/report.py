"""A standing as a document and as text for people."""

from __future__ import annotations

from pydantic import JsonValue

from guardrails.refs import stamp
from onboarding.profile.readiness.signals import Signal
from onboarding.profile.readiness.standing import Standing


def document(standing: Standing) -> dict[str, JsonValue]:
    """All values, with no text of anybody but what the file says."""
    over = standing.override
    return {
        "at": stamp(standing.at),
        "signals": [_signal(signal) for signal in standing.signals],
        "count": standing.count,
        "pays_off": standing.pays_off,
        "allowed": standing.allowed.title,
        "stage": standing.stage.title,
        "mature_users": standing.mature,
        "rung_earned": standing.earned.title,
        "rung": standing.rung.title,
        "override": None
        if over is None
        else {
            "stage": over.stage,
            "reason": over.reason,
            "owner": over.owner,
            "until": None if over.until is None else over.until.isoformat(),
        },
        "notes": list(standing.notes),
    }


def text_of(standing: Standing) -> str:
    """Lines for a terminal."""
    pays = "personalisation pays off" if standing.pays_off else "too early to pay off"
    lines = [f"readiness {standing.at:%Y-%m-%d}: {standing.count} of 5 signals, {pays}"]
    for number, signal in enumerate(standing.signals, 1):
        lines.append(f"  {number} {signal.name.value:20}{_told(signal)}")
        if signal.lacks:
            lines.append(f"    needs {signal.lacks}")
    lines.append(f"stage {standing.stage.title} (signals allow {standing.allowed.title})")
    lines.append(
        f"ranking {standing.rung.title} (earned {standing.earned.title}: {standing.mature} users"
        " followed for 14 days)"
    )
    if standing.override is not None:
        over = standing.override
        until = "" if over.until is None else f" until {over.until}"
        lines.append(f"overridden by {over.owner or 'nobody named'}{until}: {over.reason or '-'}")
    lines += [f"  {note}" for note in standing.notes]
    return "\n".join(lines)


def _told(signal: Signal) -> str:
    figures = ", ".join(f"{name} {_short(value)}" for name, value in signal.figures.items())
    said = "holds" if signal.computed else "no"
    if signal.declared is not None:
        said = (
            f"{said}; declared by {signal.declared}"
            if signal.computed
            else (f"declared by {signal.declared}")
        )
    return f"{said}{f' ({figures})' if figures else ''}"


def _short(value: float) -> str:
    return f"{value:g}" if float(value).is_integer() else f"{value:.3f}"


def _signal(signal: Signal) -> dict[str, JsonValue]:
    return {
        "name": signal.name.value,
        "holds": signal.holds,
        "computed": signal.computed,
        "declared_by": signal.declared,
        "figures": {name: float(value) for name, value in signal.figures.items()},
        "lacks": signal.lacks,
    }
