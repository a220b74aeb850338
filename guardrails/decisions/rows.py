"""Decisions <-> rows of SQL."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import RowMapping

from guardrails.consent.types import Purpose
from guardrails.decisions.types import (
    Amount,
    Assignment,
    Decision,
    Kind,
    Outcome,
    OutcomeUpdate,
    Place,
    Versions,
)
from guardrails.refs import stamp


def decision_row(decision: Decision) -> dict[str, object]:
    place, versions, assignment = decision.place, decision.versions, decision.assignment
    return {
        "tenant": decision.tenant,
        "id": decision.id,
        "kind": decision.kind.value,
        "purpose": decision.purpose.value,
        "at": stamp(decision.at),
        "outcome": decision.outcome.value,
        "reason": decision.reason,
        "subject": decision.subject,
        "thread_id": place.thread_id,
        "run_id": place.run_id,
        "message_id": place.message_id,
        "model_version": versions.model,
        "prompt_version": versions.prompt,
        "policy_version": versions.policy,
        "index_version": versions.index,
        "tool_version": versions.tool,
        "experiment": assignment.experiment,
        "arm": assignment.arm,
        "propensity": assignment.propensity,
        "evidence": list(decision.evidence),
        "amounts": {amount.value: number for amount, number in decision.amounts.items()},
    }


def decision_of(row: RowMapping) -> Decision:
    return Decision(
        id=row["id"],
        tenant=row["tenant"],
        kind=Kind(row["kind"]),
        purpose=Purpose(row["purpose"]),
        at=datetime.fromisoformat(row["at"]),
        outcome=Outcome(row["outcome"]),
        reason=row["reason"],
        subject=row["subject"],
        place=Place(row["thread_id"], row["run_id"], row["message_id"]),
        versions=Versions(
            model=row["model_version"],
            prompt=row["prompt_version"],
            policy=row["policy_version"],
            index=row["index_version"],
            tool=row["tool_version"],
        ),
        assignment=Assignment(row["experiment"], row["arm"], row["propensity"]),
        evidence=tuple(row["evidence"]),
        amounts={Amount(name): number for name, number in row["amounts"].items()},
    )


def update_row(update: OutcomeUpdate) -> dict[str, object]:
    return {
        "tenant": update.tenant,
        "id": update.id,
        "decision_id": update.decision_id,
        "outcome": update.outcome.value,
        "at": stamp(update.at),
        "reason": update.reason,
    }


def update_of(row: RowMapping) -> OutcomeUpdate:
    return OutcomeUpdate(
        id=row["id"],
        tenant=row["tenant"],
        decision_id=row["decision_id"],
        outcome=Outcome(row["outcome"]),
        at=datetime.fromisoformat(row["at"]),
        reason=row["reason"],
    )
