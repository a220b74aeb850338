"""Many messages of an inbox decided on and handed over in one transaction: a statement for all
instead of a dozen for each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from typing import Final

from sqlalchemy import BindParameter, Connection, bindparam, select, text

from guardrails.refs import stamp
from onboarding.interventions.capping import Counted, token_of
from onboarding.interventions.choices import Choice, Choices
from onboarding.interventions.governor import Case, Drop, Rival, Send, decide
from onboarding.interventions.moves import LIVE
from onboarding.interventions.nulls import is_null
from onboarding.interventions.settling import governed, settled
from onboarding.interventions.types import Delivery, Message, Reason, Silence
from onboarding.store.interventions.asking import LIVES, WAITS
from onboarding.store.interventions.rows import choice_of, counted_of, delivery_of, rival_of
from onboarding.store.interventions.store import BACK, Given, Rules
from onboarding.store.interventions.tables import choice, delivery, outbox, silence, token
from onboarding.store.interventions.writing import keep_all, take_all, wake


@dataclass(slots=True)
class Block:
    """What is known of the people of a block, kept up while their messages are decided on."""

    choices: dict[str, list[Choice]] = field(default_factory=lambda: defaultdict(list))
    counted: dict[str, list[Counted]] = field(default_factory=lambda: defaultdict(list))
    rivals: dict[tuple[str, str], dict[str, Rival]] = field(
        default_factory=lambda: defaultdict(dict)
    )
    silences: dict[str, dict[Silence, datetime]] = field(default_factory=lambda: defaultdict(dict))
    sent: dict[str, str] = field(default_factory=dict)  # delivery, by key
    after: dict[str, Delivery] = field(default_factory=dict)  # by id
    taken: list[Delivery] = field(default_factory=list)
    withheld: list[Delivery] = field(default_factory=list)

    def case(self, found: Delivery, given: Given) -> Case:
        message = found.message
        user = message.person.user
        return Case(
            found,
            given.standing,
            Choices(tuple(self.choices.get(user, ()))),
            tuple(each for each in self.counted.get(user, ()) if each.delivery != found.id),
            tuple(self.rivals.get(_group(message), {}).values()),
            self.silences.get(user, {}),
            address_refused=False,  # an inbox has none
            sent_before=self.sent.get(message.key, found.id) != found.id,
            drawn_null=is_null(message),
        )

    def keep(self, after: Delivery, now: datetime, *, taken: bool) -> None:
        message = after.message
        self.after[after.id] = after
        if taken:
            self.taken.append(after)
            self.sent[message.key] = after.id
            if not message.exempt:
                self.counted[message.person.user].append(token_of(after, now))
        if after.state not in LIVE:
            self.rivals.get(_group(message), {}).pop(after.id, None)

    def withhold(self, after: Delivery) -> None:
        self.withheld.append(after)
        self.sent[after.message.key] = after.id


def hand_over(
    connection: Connection,
    tenant: str,
    given: Sequence[Given],
    ruling: tuple[Rules, Random],
    now: datetime,
) -> Mapping[str, Delivery]:
    """As they stand now, by id; without those that another has, or that are not due any more."""
    people = sorted({each.delivery.message.person.user for each in given})
    _lock(connection, tenant, people)
    found = _waiting(connection, tenant, [each.delivery.id for each in given], now)
    block = _read(connection, tenant, list(found.values()), now)
    for each in given:
        if each.delivery.id in found:
            _decide(block, found[each.delivery.id], each, ruling, now)
    keep_all(connection, list(block.after.values()))
    take_all(connection, block.taken, block.withheld, now)
    for after in block.after.values():
        wake(connection, after, now)
    return block.after


def _decide(
    block: Block, found: Delivery, given: Given, ruling: tuple[Rules, Random], now: datetime
) -> None:
    rules, rng = ruling
    verdict = decide(block.case(found, given), rules.house, now)
    after, taken = governed(found, verdict, now, rules.lease), False
    if isinstance(verdict, Send):
        effect = rules.effect(found.message.channel)
        after, taken = settled(after, given.result, now, effect, (rules.retrying, rng))
    block.keep(after, now, taken=taken)
    if verdict == Drop(Reason.NULL, withheld=True):
        block.withhold(after)


def _lock(connection: Connection, tenant: str, people: Sequence[str]) -> None:
    """As `asking.lock`, of all of them, in one order."""
    if connection.dialect.name == "postgresql":
        names = [f"intervention:user:{len(tenant)}:{tenant}:{user}" for user in people]
        connection.execute(_LOCKS, {"names": names}).all()


def _waiting(
    connection: Connection, tenant: str, names: Sequence[str], now: datetime
) -> dict[str, Delivery]:
    values = {"tenant": tenant, "ids": names, "now": stamp(now)}
    rows = connection.execute(_WAITING, values).mappings()
    return {row["id"]: delivery_of(row) for row in rows}


def _read(connection: Connection, tenant: str, found: Sequence[Delivery], now: datetime) -> Block:
    block = Block()
    users = sorted({each.message.person.user for each in found})
    own = {"tenant": tenant, "users": users}
    for row in connection.execute(_CHOSEN, own).mappings():
        block.choices[row["subject"]].append(choice_of(row))
    for row in connection.execute(_COUNTED, {**own, "since": stamp(now - BACK)}).mappings():
        block.counted[row["subject"]].append(counted_of(row))
    for subject, name, until in connection.execute(_SILENCES, {**own, "now": stamp(now)}):
        block.silences[subject][Silence(name)] = datetime.fromisoformat(until)
    keys = {"tenant": tenant, "keys": [each.message.key for each in found]}
    block.sent.update((key, sent) for key, sent in connection.execute(_SENT, keys))
    groups = {each.message.exclusive for each in found} - {None}
    if groups:
        wanted = {**own, "groups": sorted(groups, key=str), "now": stamp(now)}
        for row in connection.execute(_RIVALS, wanted).mappings():
            block.rivals[row["subject"], row["exclusive"]][row["id"]] = rival_of(row)
    return block


def _group(message: Message) -> tuple[str, str]:
    return message.person.user, message.exclusive or ""


# Made once: to put a statement together costs more than to run it.
_TENANT: Final[BindParameter[str]] = bindparam("tenant")
_USERS: Final[BindParameter[Sequence[str]]] = bindparam("users", expanding=True)
_LOCKS: Final = text(
    "SELECT pg_advisory_xact_lock(hashtextextended(name, 0)) "
    "FROM unnest(CAST(:names AS text[])) WITH ORDINALITY AS locked (name, place) ORDER BY place"
)
_WAITING: Final = (
    select(delivery)
    .where(
        delivery.c.tenant == _TENANT,
        delivery.c.id.in_(bindparam("ids", expanding=True)),
        delivery.c.state.in_(WAITS),
        delivery.c.due <= bindparam("now"),
    )
    .order_by(delivery.c.id)
    .with_for_update(skip_locked=True)
)
_CHOSEN: Final = (
    select(choice)
    .where(choice.c.tenant == _TENANT, choice.c.subject.in_(_USERS))
    .order_by(choice.c.topic, choice.c.wish, choice.c.channel)
)
_COUNTED: Final = select(token).where(
    token.c.tenant == _TENANT, token.c.subject.in_(_USERS), token.c.at > bindparam("since")
)
_SILENCES: Final = select(silence.c.subject, silence.c.silence, silence.c.until).where(
    silence.c.tenant == _TENANT, silence.c.subject.in_(_USERS), silence.c.until > bindparam("now")
)
_SENT: Final = select(outbox.c.key, outbox.c.delivery).where(
    outbox.c.tenant == _TENANT, outbox.c.key.in_(bindparam("keys", expanding=True))
)
_RIVALS: Final = select(
    delivery.c.subject,
    delivery.c.exclusive,
    delivery.c.id,
    delivery.c.name,
    delivery.c.priority,
    delivery.c.planned_at,
).where(
    delivery.c.tenant == _TENANT,
    delivery.c.subject.in_(_USERS),
    delivery.c.state.in_(LIVES),
    delivery.c.exclusive.in_(bindparam("groups", expanding=True)),
    (delivery.c.not_before.is_(None)) | (delivery.c.not_before <= bindparam("now")),
)
