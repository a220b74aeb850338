"""messages -> results: contract, consent, quarantine, append. Acknowledged once it is durable."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

import orjson

from guardrails.consent import NOTHING_SAID, ConsentReader, Consents
from onboarding.events.catalogue import EventCatalogue
from onboarding.events.checking import Checker, clean, type_of
from onboarding.events.consenting import Grants
from onboarding.events.contracts import Contract
from onboarding.events.log import Addition, Appended, EventLog, Link, Membership
from onboarding.events.messages import Envelope, RefusedError, envelope_of
from onboarding.events.quarantine import ErasedError, Quarantine, Seal
from onboarding.events.rates import Rates
from onboarding.events.verdicts import Code, Quarantined, Reason, Result, Status, Warned
from onboarding.types import Event, EventKind

MAX_SHAPE: Final = 100
_NOT_PLANNED: Final = frozenset({Code.UNPLANNED_EVENT, Code.UNKNOWN_VERSION})


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sends. With a `user` it is that person's own page, which speaks of them and of their
    `account` alone; without, the host's backend."""

    tenant: str
    user: str | None = None
    account: str | None = None


@dataclass(frozen=True, slots=True)
class IntakeParts:
    """What the intake writes to and asks."""

    catalogue: EventCatalogue
    log: EventLog
    quarantine: Quarantine
    consents: ConsentReader
    seal: Seal


@dataclass(slots=True)
class _Draft:
    """A message on its way. What is decided early has its result at once."""

    raw: Any
    result: Result
    addition: Addition | None = None
    broken: Quarantined | None = None


class Intake:
    """One per process. `tally` counts results by event and status, and names of dropped fields."""

    def __init__(self, parts: IntakeParts) -> None:
        self._parts = parts
        self._checkers = {id(each): Checker(each) for each in parts.catalogue.all_versions()}
        self._grants = Grants()
        self._rates = Rates()
        self.tally: Counter[tuple[str, str]] = Counter()

    @property
    def catalogue(self) -> EventCatalogue:
        return self._parts.catalogue

    async def take(
        self,
        sender: Sender,
        messages: Sequence[Any],
        now: datetime,
        sent_at: datetime | None = None,
    ) -> tuple[Result, ...]:
        """One result a message, in order; what is stored or quarantined is durable. Raises
        StoreUnavailableError: the whole batch may be sent again."""
        envelopes = [_read(raw, sender, now, sent_at) for raw in messages]
        return await self._decide(sender.tenant, messages, envelopes, heals=False)

    async def again(
        self, tenant: str, raw: Mapping[str, Any], was: Quarantined, now: datetime
    ) -> Result:
        """A message out of quarantine, under today's contract and consent, with its own time."""
        envelope = _read(raw, Sender(tenant), now, None)
        if isinstance(envelope, Envelope):
            envelope.occurred_at = was.occurred_at
            envelope.message_id = was.message_id
        (result,) = await self._decide(tenant, [raw], [envelope], heals=True)
        return result

    async def _decide(
        self, tenant: str, raws: Sequence[Any], read: Sequence[Envelope | Result], *, heals: bool
    ) -> tuple[Result, ...]:
        consents = await self._consents(tenant, read)
        self._watch(read)
        drafts = [
            _Draft(raw, each)
            if isinstance(each, Result)
            else self._draft(tenant, raw, each, consents)
            for raw, each in zip(raws, read, strict=True)
        ]
        if not heals:
            await self._hold(tenant, [draft for draft in drafts if draft.broken is not None])
        await self._append(tenant, [d for d in drafts if d.addition is not None], heals=heals)
        for draft, each in zip(drafts, read, strict=True):
            self._count(each, draft.result)
        return tuple(draft.result for draft in drafts)

    async def _consents(
        self, tenant: str, read: Sequence[Envelope | Result]
    ) -> dict[str, Consents]:
        users = {each.user for each in read if isinstance(each, Envelope) and each.user is not None}
        return {user: await self._parts.consents.of(tenant, user) for user in users}

    def _watch(self, read: Sequence[Envelope | Result]) -> None:
        envelopes = [each for each in read if isinstance(each, Envelope)]
        named = [each for each in envelopes if each.user is not None]
        if not named:
            return
        over = self._rates.over([str(each.user) for each in named], named[0].received_at)
        for each in named if over else ():
            if each.user in over:
                each.warnings.append(Warned.RATE)

    def _draft(
        self, tenant: str, raw: Any, envelope: Envelope, consents: Mapping[str, Consents]
    ) -> _Draft:
        contract = self._contract(envelope)
        if isinstance(contract, Reason):
            return _broken(raw, envelope, (contract,))
        checked = self._checkers[id(contract)].check(envelope)
        if checked.reasons:
            return _broken(raw, envelope, checked.reasons)
        allowed = NOTHING_SAID if envelope.user is None else consents[envelope.user]
        kept = self._grants.kept(contract, checked.values, allowed)
        dropped = checked.dropped + kept.dropped
        warnings = tuple(dict.fromkeys(envelope.warnings))
        if not kept.purposes:
            return _Draft(raw, _withheld(envelope.message_id, Code.NO_CONSENT))
        event = Event(
            tenant,
            envelope.message_id,
            envelope.kind,
            envelope.name,
            str(contract.version),
            envelope.user,
            envelope.anonymous,
            envelope.account,
            envelope.occurred_at,
            envelope.received_at,
            kept.fields,
            kept.purposes,
        )
        result = Result(envelope.message_id, Status.STORED, (), dropped, warnings)
        return _Draft(raw, result, _addition(event))

    def _contract(self, envelope: Envelope) -> Contract | Reason:
        contract = self._parts.catalogue.contract(envelope.name, envelope.version)
        if contract is not None and contract.kind is envelope.kind:
            return contract
        known = contract is None and envelope.name in self._parts.catalogue
        return Reason(Code.UNKNOWN_VERSION if known else Code.UNPLANNED_EVENT)

    async def _hold(self, tenant: str, drafts: Sequence[_Draft]) -> None:
        rows = [row for draft in drafts if (row := await self._sealed(tenant, draft)) is not None]
        if rows:
            await self._parts.quarantine.hold(tenant, rows)

    async def _sealed(self, tenant: str, draft: _Draft) -> Quarantined | None:
        """Planned messages alone are kept whole; nothing of who was erased."""
        row = draft.broken
        assert row is not None
        if row.reasons[0].code in _NOT_PLANNED:
            return row
        plain = orjson.dumps(draft.raw, option=orjson.OPT_NON_STR_KEYS)
        try:
            return replace(row, sealed=await self._parts.seal.seal(tenant, row.subject, plain))
        except ErasedError:
            draft.result = _withheld(row.message_id, Code.ERASED)
            return None

    async def _append(self, tenant: str, drafts: Sequence[_Draft], *, heals: bool) -> None:
        if not drafts:
            return
        additions = [draft.addition for draft in drafts if draft.addition is not None]
        if heals:
            additions = [replace(each, heals=True) for each in additions]
        appended = await self._parts.log.append(tenant, additions)
        for draft, done in zip(drafts, appended, strict=True):
            draft.result = _result(draft, done)

    def _count(self, read: Envelope | Result, result: Result) -> None:
        name = "" if isinstance(read, Result) else read.name
        planned = name if name in self._parts.catalogue else ""
        self.tally[planned, result.status.value] += 1
        for field in result.dropped:
            known = self._parts.catalogue.field(planned, field) is not None
            self.tally[f"{planned}/{field if known else '*'}", "dropped"] += 1


def _read(raw: Any, sender: Sender, now: datetime, sent_at: datetime | None) -> Envelope | Result:
    try:
        envelope = envelope_of(raw, now, sent_at)
    except RefusedError as refused:
        return Result(refused.message_id, Status.REFUSED, (refused.reason,))
    if sender.user is None:
        nobody = not (envelope.user or envelope.anonymous or envelope.account)
        return _refused(envelope, Reason(Code.NO_IDENTITY)) if nobody else envelope
    if envelope.user not in {None, sender.user}:
        return _refused(envelope, Reason(Code.NOT_YOURS, "userId"))
    if envelope.account not in {None, sender.account}:
        return _refused(envelope, Reason(Code.NOT_YOURS, "groupId"))
    envelope.user = sender.user
    envelope.account = envelope.account or sender.account
    return envelope


def _refused(envelope: Envelope, reason: Reason) -> Result:
    return Result(envelope.message_id, Status.REFUSED, (reason,))


def _withheld(message_id: str, code: Code) -> Result:
    return Result(message_id, Status.WITHHELD, (Reason(code),))


def _broken(raw: Any, envelope: Envelope, reasons: tuple[Reason, ...]) -> _Draft:
    listed = list(envelope.properties.items())[:MAX_SHAPE]
    row = Quarantined(
        envelope.message_id,
        envelope.name,
        envelope.version or "",
        envelope.subject,
        reasons,
        envelope.occurred_at,
        envelope.received_at,
        {clean(name): type_of(value) for name, value in listed},
    )
    warnings = tuple(dict.fromkeys(envelope.warnings))
    raw = _with_ids(raw, envelope)
    result = Result(envelope.message_id, Status.QUARANTINED, reasons, (), warnings)
    return _Draft(raw, result, None, row)


def _with_ids(raw: Any, envelope: Envelope) -> dict[str, Any]:
    """With whose it is, which of a page is told by who is signed in: it is run again without."""
    whole = dict(raw) | ({"userId": envelope.user} if envelope.user else {})
    if envelope.account and envelope.kind is not EventKind.GROUP:
        whole["context"] = dict(envelope.context) | {"groupId": envelope.account}
    return whole


def _addition(event: Event) -> Addition:
    link = membership = None
    if event.kind is EventKind.IDENTIFY and event.user and event.anonymous:
        link = Link(event.anonymous, event.user, event.received_at, event.message_id)
    if event.user and event.account:
        by_group = event.kind is EventKind.GROUP
        membership = Membership(event.user, event.account, event.occurred_at, by_group)
    return Addition(event, link, membership)


def _result(draft: _Draft, done: Appended) -> Result:
    if done.duplicate:
        return Result(draft.result.message_id, Status.DUPLICATE)
    if done.erased:
        return _withheld(draft.result.message_id, Code.ERASED)
    told = draft.result
    if done.merge_refused:
        told = replace(told, warnings=(*told.warnings, Warned.MERGE_REFUSED))
    if done.switched:
        told = replace(told, warnings=(*told.warnings, Warned.ACCOUNT_SWITCHED))
    return told
