"""Values <-> rows."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import RowMapping

from guardrails.refs import code, owner, ref, stamp
from onboarding.journeys import Done, Enrolment
from onboarding.types import Person, StepScope, StepState

USER, ACCOUNT = "user", "account"


def enrolment_row(enrolment: Enrolment) -> dict[str, Any]:
    """Raises ValueError for what is no reference, id or zoned time."""
    person = enrolment.person
    return {
        "tenant": owner(person.tenant),
        "subject": ref("user", person.user),
        "account": ref("account", person.account) if person.account is not None else None,
        "journey": code("journey", enrolment.journey),
        "entry": enrolment.entry,
        "version": enrolment.version,
        "kit": enrolment.kit,
        "started_at": stamp(enrolment.started_at),
        "reached_at": _maybe(enrolment.reached_at),
        "finished_at": _maybe(enrolment.finished_at),
        "left_at": _maybe(enrolment.left_at),
        "left_why": enrolment.left_why,
    }


def enrolment_of(row: RowMapping) -> Enrolment:
    return Enrolment(
        person=Person(row["tenant"], row["subject"], row["account"]),
        journey=row["journey"],
        version=row["version"],
        started_at=datetime.fromisoformat(row["started_at"]),
        entry=row["entry"],
        kit=row["kit"],
        reached_at=_at(row["reached_at"]),
        finished_at=_at(row["finished_at"]),
        left_at=_at(row["left_at"]),
        left_why=row["left_why"],
    )


def done_row(enrolment: Enrolment, done: Done) -> dict[str, Any]:
    """An account's step is filed under its action; who belongs to no account has it alone."""
    person = enrolment.person
    shared = done.scope is StepScope.ACCOUNT and person.account is not None
    return {
        "tenant": owner(person.tenant),
        "owner_kind": ACCOUNT if shared else USER,
        "owner": person.account if shared else person.user,
        "journey": "" if shared else enrolment.journey,
        "entry": 0 if shared else enrolment.entry,
        "step": code("action", done.action) if shared else code("step", done.step),
        "action": code("action", done.action),
        "state": done.state.value,
        "at": stamp(done.at),
        "by": ref("by", done.by) if done.by is not None else None,
        "evidence": orjson.dumps(list(done.evidence)).decode(),
    }


def done_of(row: RowMapping) -> Done:
    return Done(
        step=row["step"],
        action=row["action"],
        state=StepState(row["state"]),
        at=datetime.fromisoformat(row["at"]),
        scope=StepScope.ACCOUNT if row["owner_kind"] == ACCOUNT else StepScope.USER,
        by=row["by"],
        evidence=tuple(orjson.loads(row["evidence"])),
    )


def _maybe(at: datetime | None) -> str | None:
    return stamp(at) if at is not None else None


def _at(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text is not None else None
