"""Values of profiles as rows, and back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import RowMapping

from guardrails.consent import Purpose
from guardrails.refs import code, owner, ref, stamp
from onboarding.profile.beliefs import Belief, Scored, SelfModel
from onboarding.profile.keeping import StoredModel, fact_id
from onboarding.profile.questions import Asked, Reply
from onboarding.types import Fact, Source

LONGEST_LIST = 50
"""Ids of evidence, and of reasons, that one fact may have."""


def fact_row(tenant: str, fact: Fact) -> dict[str, Any]:
    """Raises ValueError: no sentence, no name and no address gets in."""
    if fact.tenant != tenant:
        raise ValueError("a fact of another tenant")
    if not 0 <= fact.confidence <= 1:
        raise ValueError("confidence is a probability")
    if max(len(fact.evidence), len(fact.reasons)) > LONGEST_LIST:
        raise ValueError(f"a fact names at most {LONGEST_LIST} events and reasons")
    return {
        "tenant": owner(tenant),
        "subject": ref("subject", fact.subject),
        "id": fact_id(fact),
        "name": code("name", fact.name.removeprefix("~")) and fact.name,
        "value": code("value", fact.value),
        "confidence": fact.confidence,
        "source": fact.source.value,
        "valid_from": stamp(fact.valid_from),
        "expires": None if fact.expires is None else stamp(fact.expires),
        "purpose": fact.purpose.value,
        "evidence": _json([ref("evidence", id) for id in fact.evidence]),
        "odds": _json(dict(fact.odds)),
        "reasons": _json([_reason(each) for each in fact.reasons]),
        "made_by": code("made_by", fact.made_by) if fact.made_by else "",
    }


def fact_of(row: RowMapping | Mapping[str, Any]) -> Fact:
    expires = row["expires"]
    return Fact(
        tenant=row["tenant"],
        subject=row["subject"],
        name=row["name"],
        value=row["value"],
        confidence=row["confidence"],
        source=Source(row["source"]),
        valid_from=datetime.fromisoformat(row["valid_from"]),
        evidence=tuple(orjson.loads(row["evidence"])),
        expires=None if expires is None else datetime.fromisoformat(expires),
        purpose=Purpose(row["purpose"]),
        odds=orjson.loads(row["odds"]),
        reasons=tuple(orjson.loads(row["reasons"])),
        made_by=row["made_by"],
    )


def asked_row(tenant: str, subject: str, asked: Asked) -> dict[str, Any]:
    """Raises ValueError."""
    return {
        "tenant": owner(tenant),
        "subject": ref("subject", subject),
        "session": ref("session", asked.session),
        "question": code("question", asked.question),
        "at": stamp(asked.at),
        "reply": asked.reply.value,
    }


def asked_of(row: RowMapping | Mapping[str, Any]) -> Asked:
    at = datetime.fromisoformat(row["at"])
    return Asked(row["question"], row["session"], at, Reply(row["reply"]))


def model_row(tenant: str, subject: str, stored: StoredModel) -> dict[str, Any]:
    """Raises ValueError."""
    return {
        "tenant": owner(tenant),
        "subject": ref("subject", subject),
        "at": stamp(stored.at),
        "model": _json(stored.model),
    }


def model_of(row: RowMapping | Mapping[str, Any]) -> StoredModel:
    plain = orjson.loads(row["model"])
    beliefs = tuple(_belief(each) for each in plain["beliefs"])
    scored = tuple(Scored(**each) for each in plain["scored"])
    at = datetime.fromisoformat(row["at"])
    return StoredModel(at, SelfModel(beliefs, scored, plain["trusted"]))


def _belief(plain: dict[str, Any]) -> Belief:
    at, evidence = datetime.fromisoformat(plain.pop("at")), tuple(plain.pop("evidence"))
    return Belief(**plain, at=at, evidence=evidence)


def _reason(text: str) -> str:
    """`cue` or `cue=value`: codes of our own files."""
    name, _, value = text.partition("=")
    code("reason", name)
    if value:
        code("reason", value)
    return text


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()
