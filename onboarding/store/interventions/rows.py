"""Row <-> value."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Final

from pydantic import TypeAdapter
from sqlalchemy import RowMapping

from guardrails.refs import stamp
from onboarding.interventions.capping import Counted
from onboarding.interventions.choices import Choice, Wish
from onboarding.interventions.governor import Rival
from onboarding.interventions.settling import bared
from onboarding.interventions.types import Channel, Delivery, Message, Reason, State

_MESSAGE: Final = TypeAdapter(Message)
Row = dict[str, object]


def whole_row(delivery: Delivery) -> Row:
    """Of a delivery that is new."""
    message, person = delivery.message, delivery.message.person
    return {
        "tenant": person.tenant,
        "id": delivery.id,
        "subject": person.user,
        "account": person.account,
        "channel": message.channel.value,
        "name": message.journey.partition("@")[0],
        "step": message.step,
        "priority": message.priority,
        "exclusive": message.exclusive,
        "not_before": optional(message.not_before),
        "planned_at": stamp(delivery.planned_at),
        **moving_row(delivery),
    }


def moving_row(delivery: Delivery) -> Row:
    """What changes in the life of a delivery."""
    return {
        "message": _text(bared(delivery).message),
        "state": delivery.state.value,
        "reason": delivery.reason.value if delivery.reason else None,
        "due": stamp(delivery.due),
        "attempts": delivery.attempts,
        "fence": delivery.fence,
        "begun": delivery.begun,
        "lease_until": optional(delivery.lease_until),
        "sent_at": optional(delivery.sent_at),
        "provider_id": delivery.provider_id,
        "changed_at": stamp(delivery.changed_at or delivery.planned_at),
    }


def _text(message: Message) -> str:
    """Proxies of mappings are nothing that pydantic writes."""
    plain = replace(message, values=dict(message.values), arms=dict(message.arms))
    return _MESSAGE.dump_json(plain).decode()


def delivery_of(row: RowMapping) -> Delivery:
    return Delivery(
        id=row["id"],
        message=_MESSAGE.validate_json(row["message"]),
        state=State(row["state"]),
        planned_at=datetime.fromisoformat(row["planned_at"]),
        due=datetime.fromisoformat(row["due"]),
        reason=Reason(row["reason"]) if row["reason"] else None,
        attempts=row["attempts"],
        fence=row["fence"],
        begun=bool(row["begun"]),
        lease_until=_time(row["lease_until"]),
        sent_at=_time(row["sent_at"]),
        provider_id=row["provider_id"],
        changed_at=_time(row["changed_at"]),
    )


def token_row(tenant: str, token: Counted) -> Row:
    return {
        "tenant": tenant,
        "delivery": token.delivery,
        "at": stamp(token.at),
        "channel": token.channel.value,
        "subject": token.user,
        "account": token.account,
        "journey": token.journey,
        "counts": token.counts,
    }


def counted_of(row: RowMapping) -> Counted:
    return Counted(
        delivery=row["delivery"],
        at=datetime.fromisoformat(row["at"]),
        channel=Channel(row["channel"]),
        user=row["subject"],
        account=row["account"],
        journey=row["journey"],
        counts=bool(row["counts"]),
    )


def choice_row(choice: Choice) -> Row:
    return {
        "topic": choice.topic,
        "wish": choice.wish.value,
        "channel": choice.channel.value if choice.channel else "",
        "at": stamp(choice.at),
        "until": optional(choice.until),
    }


def choice_of(row: RowMapping) -> Choice:
    return Choice(
        topic=row["topic"],
        wish=Wish(row["wish"]),
        at=datetime.fromisoformat(row["at"]),
        channel=Channel(row["channel"]) if row["channel"] else None,
        until=_time(row["until"]),
    )


def rival_of(row: RowMapping) -> Rival:
    planned_at = datetime.fromisoformat(row["planned_at"])
    return Rival(row["id"], row["name"], row["priority"], planned_at)


def optional(at: datetime | None) -> str | None:
    return None if at is None else stamp(at)


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
