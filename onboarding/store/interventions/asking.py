"""What a transaction reads before the governor decides, and the locks under which it does.

Locks of people and accounts are taken before any row's, an account's before a person's: so no two
transactions wait for each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    Select,
    and_,
    bindparam,
    or_,
    select,
    text,
)

from guardrails.refs import stamp
from onboarding.interventions.capping import Counted
from onboarding.interventions.choices import Choice, Choices
from onboarding.interventions.governor import Case, Rival
from onboarding.interventions.moves import LIVE, WAITING
from onboarding.interventions.nulls import is_null
from onboarding.interventions.types import Channel, Delivery, Message, Silence, Standing
from onboarding.store.interventions.rows import choice_of, counted_of, delivery_of, rival_of
from onboarding.store.interventions.store import BACK
from onboarding.store.interventions.tables import (
    choice,
    delivery,
    outbox,
    refused,
    silence,
    token,
)
from onboarding.types import Person

WAITS: Final = [state.value for state in sorted(WAITING)]
LIVES: Final = [state.value for state in sorted(LIVE)]
_LOCK: Final = text("SELECT pg_advisory_xact_lock(hashtextextended(:whose, 0))")


def lock(connection: Connection, person: Person, *, account: bool = False) -> None:
    """Until the transaction ends, nobody else sends to this person, nor, if so asked, by e-mail to
    the account. SQLite has one writer anyway."""
    if connection.dialect.name != "postgresql":
        return
    names = [f"user:{len(person.tenant)}:{person.tenant}:{person.user}"]
    if account and person.account is not None:
        names.insert(0, f"account:{len(person.tenant)}:{person.tenant}:{person.account}")
    for name in names:
        connection.execute(_LOCK, {"whose": f"intervention:{name}"})


def waiting(
    connection: Connection, tenant: str, name: str, now: datetime | None = None
) -> Delivery | None:
    """That is due then, or at any time, locked; None when there is none, or another has it."""
    due = _EVER if now is None else stamp(now)
    return one(connection, _WAITING, {"tenant": tenant, "id": name, "due": due})


def one(
    connection: Connection,
    wanted: Select[tuple[object, ...]],
    values: Mapping[str, object] | None = None,
) -> Delivery | None:
    row = connection.execute(wanted, values or {}).mappings().one_or_none()
    return None if row is None else delivery_of(row)


def every(connection: Connection, wanted: Select[tuple[object, ...]]) -> tuple[Delivery, ...]:
    """Locked; without those that another has."""
    rows = connection.execute(wanted.with_for_update(skip_locked=True)).mappings().all()
    return tuple(delivery_of(row) for row in rows)


def own(tenant: str, name: str) -> ColumnElement[bool]:
    return (delivery.c.tenant == tenant) & (delivery.c.id == name)


def case_of(connection: Connection, found: Delivery, standing: Standing, now: datetime) -> Case:
    message = found.message
    return Case(
        found,
        standing,
        Choices(_choices(connection, message.person)),
        _counted(connection, found, now),
        _rivals(connection, found, now),
        silences_of(connection, message.person, now),
        _is_refused(connection, message, standing.address),
        _sent_before(connection, found),
        is_null(message),
    )


def _choices(connection: Connection, person: Person) -> tuple[Choice, ...]:
    rows = connection.execute(_CHOSEN, {"tenant": person.tenant, "subject": person.user})
    return tuple(choice_of(row) for row in rows.mappings())


def chosen(tenant: str, user: str) -> Select[tuple[object, ...]]:
    return _CHOSEN.params(tenant=tenant, subject=user)


def _counted(connection: Connection, found: Delivery, now: datetime) -> tuple[Counted, ...]:
    person = found.message.person
    values = {
        "tenant": person.tenant,
        "subject": person.user,
        "since": stamp(now - BACK),
        "delivery": found.id,
    }
    wanted = _MINE
    if person.account is not None and found.message.channel is Channel.EMAIL:
        wanted, values["account"] = _OURS, person.account
    return tuple(counted_of(row) for row in connection.execute(wanted, values).mappings())


def _rivals(connection: Connection, found: Delivery, now: datetime) -> tuple[Rival, ...]:
    message = found.message
    if message.exclusive is None:
        return ()
    values = {
        "tenant": message.person.tenant,
        "subject": message.person.user,
        "exclusive": message.exclusive,
        "now": stamp(now),
    }
    return tuple(rival_of(row) for row in connection.execute(_RIVALS, values).mappings())


def silences_of(connection: Connection, person: Person, now: datetime) -> dict[Silence, datetime]:
    """What the person does now that must not be broken into, and until when."""
    values = {"tenant": person.tenant, "subject": person.user, "now": stamp(now)}
    rows = connection.execute(_SILENCES, values)
    return {Silence(name): datetime.fromisoformat(until) for name, until in rows}


def _is_refused(connection: Connection, message: Message, address: str | None) -> bool:
    if address is None:
        return False
    tenant, channel = message.person.tenant, message.channel.value
    values = {"tenant": tenant, "channel": channel, "address": address}
    return connection.execute(_REFUSED, values).first() is not None


def _sent_before(connection: Connection, found: Delivery) -> bool:
    message = found.message
    values = {"tenant": message.person.tenant, "key": message.key, "delivery": found.id}
    return connection.execute(_SENT, values).first() is not None


# Made once: to put a statement together costs more than to run it.
_EVER: Final = "9999"
_TENANT: Final[BindParameter[str]] = bindparam("tenant")
_SUBJECT: Final[BindParameter[str]] = bindparam("subject")
_WAITING: Final = (
    select(delivery)
    .where(
        delivery.c.tenant == _TENANT,
        delivery.c.id == bindparam("id"),
        delivery.c.state.in_(WAITS),
        delivery.c.due <= bindparam("due"),
    )
    .with_for_update(skip_locked=True)
)
_CHOSEN: Final = (
    select(choice)
    .where(choice.c.tenant == _TENANT, choice.c.subject == _SUBJECT)
    .order_by(choice.c.topic, choice.c.wish, choice.c.channel)
)
_TOKENS: Final = select(token).where(
    token.c.tenant == _TENANT,
    token.c.at > bindparam("since"),
    token.c.delivery != bindparam("delivery"),
)
_MINE: Final = _TOKENS.where(token.c.subject == _SUBJECT)
_OURS: Final = _TOKENS.where(
    or_(
        token.c.subject == _SUBJECT,
        and_(token.c.account == bindparam("account"), token.c.channel == Channel.EMAIL.value),
    )
)
_RIVALS: Final = select(
    delivery.c.id, delivery.c.name, delivery.c.priority, delivery.c.planned_at
).where(
    delivery.c.tenant == _TENANT,
    delivery.c.subject == _SUBJECT,
    delivery.c.state.in_(LIVES),
    delivery.c.exclusive == bindparam("exclusive"),
    or_(delivery.c.not_before.is_(None), delivery.c.not_before <= bindparam("now")),
)
_SILENCES: Final = select(silence.c.silence, silence.c.until).where(
    silence.c.tenant == _TENANT, silence.c.subject == _SUBJECT, silence.c.until > bindparam("now")
)
_REFUSED: Final = select(refused.c.at).where(
    refused.c.tenant == _TENANT,
    refused.c.channel == bindparam("channel"),
    refused.c.address == bindparam("address"),
)
_SENT: Final = select(outbox.c.delivery).where(
    outbox.c.tenant == _TENANT,
    outbox.c.key == bindparam("key"),
    outbox.c.delivery != bindparam("delivery"),
)
