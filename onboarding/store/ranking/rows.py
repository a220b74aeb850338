"""Values -> rows, and back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import orjson
from pydantic import TypeAdapter
from sqlalchemy import RowMapping

from guardrails.refs import stamp
from onboarding.ranking import NOTHING, Mute
from onboarding.types import Decision, Outcome, OutcomeKind, Person

_DECISION: TypeAdapter[Decision] = TypeAdapter(Decision)


def dumped(decision: Decision) -> str:
    """JSON; the same decision gives the same bytes."""
    return orjson.dumps(decision, default=_plain).decode()


def _plain(value: object) -> object:
    """A read-only mapping as the mapping that it shows."""
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(type(value).__qualname__)


def loaded(body: str) -> Decision:
    return _DECISION.validate_json(body)


def decision_row(decision: Decision) -> dict[str, object]:
    return {
        "tenant": decision.person.tenant,
        "id": decision.id,
        "subject": decision.person.user,
        "at": stamp(decision.at),
        "policy": decision.policy,
        "model": decision.model,
        "chosen": decision.cards[0].action if decision.cards else NOTHING,
        "body": dumped(decision),
    }


def outcome_row(outcome: Outcome) -> dict[str, object]:
    return {
        "tenant": outcome.person.tenant,
        "subject": outcome.person.user,
        "decision": outcome.decision,
        "action": outcome.action,
        "kind": outcome.kind.value,
        "at": stamp(outcome.at),
        "account": outcome.person.account,
        "until": None if outcome.until is None else stamp(outcome.until),
    }


def outcome_of(row: RowMapping) -> Outcome:
    return Outcome(
        decision=row["decision"],
        person=Person(row["tenant"], row["subject"], row["account"]),
        action=row["action"],
        kind=OutcomeKind(row["kind"]),
        at=datetime.fromisoformat(row["at"]),
        until=None if row["until"] is None else datetime.fromisoformat(row["until"]),
    )


def mute_row(mute: Mute) -> dict[str, object]:
    return {
        "tenant": mute.person.tenant,
        "subject": mute.person.user,
        "action": mute.action,
        "account": mute.person.account,
        "kind": mute.kind.value,
        "since": stamp(mute.since),
        "until": None if mute.until is None else stamp(mute.until),
        "next_visit": mute.next_visit,
    }


def mute_from(row: RowMapping) -> Mute:
    return Mute(
        person=Person(row["tenant"], row["subject"], row["account"]),
        action=row["action"],
        kind=OutcomeKind(row["kind"]),
        since=datetime.fromisoformat(row["since"]),
        until=None if row["until"] is None else datetime.fromisoformat(row["until"]),
        next_visit=bool(row["next_visit"]),
    )
