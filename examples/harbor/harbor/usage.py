"""Events counted by month in UTC, and the limit that stops intake (FACTS.md, "Billing")."""

from __future__ import annotations

from harbor.facts import PLANS
from harbor.problems import Problem
from harbor.store import Object, Tx


def used(tx: Tx, workspace: str) -> int:
    """Stored events of this month; a replaced row counts again, a rolled-back one stays."""
    row = tx.db.execute(
        "SELECT events FROM usage WHERE workspace=? AND month=?", (workspace, tx.stamp[:7])
    ).fetchone()
    return int(row[0]) if row else 0


def count(tx: Tx, workspace: str, events: int) -> None:
    tx.db.execute(
        "INSERT INTO usage VALUES (?,?,?)"
        " ON CONFLICT(workspace, month) DO UPDATE SET events=events+excluded.events",
        (workspace, tx.stamp[:7], events),
    )


def need_room(tx: Tx, workspace: Object, events: int) -> None:
    """On Free intake stops at the limit; the other plans charge for what is above. Raises
    Problem."""
    plan = PLANS[workspace["plan"]]
    if plan.name == "free" and used(tx, workspace.id) + events > plan.events:
        detail = f"the {plan.events:,} events of this month are used; upgrade, or wait for the next"
        raise Problem("HBR-406", detail)
