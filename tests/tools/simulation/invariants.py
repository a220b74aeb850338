"""The ten invariants of the safety reference (5.6), each a function from what is on record.

A function yields what is wrong, in words; an empty record of wrongs is what every schedule must
end with. `Record` holds everything: the journal read back, the host's own count of effects, what
was told, and what people were answered.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from pydantic import JsonValue

from tests.tools.simulation.host import Effect
from tests.tools.simulation.people import Ack
from tools.approvals import RULES, Approvers, digest_now
from tools.canonical import sha256
from tools.journal import MOVES, RECEIPTED, Action, Approval, OutboxRow, Receipt, State

WHEN_ENDED = frozenset(
    {State.SUCCEEDED, State.FAILED, State.COMPENSATING, State.COMPENSATED, State.STUCK}
)
"""States after which an action has a receipt of its outcome."""
HELD = frozenset({State.REFUSED, State.COMPENSATED, State.STUCK})


@dataclass
class Record:
    actions: Sequence[Action]
    approvals: Mapping[str, Sequence[Approval]]
    receipts: Mapping[str, Sequence[Receipt]]
    told: Sequence[OutboxRow]
    untold: Sequence[OutboxRow]
    effects: Sequence[Effect]
    acks: Sequence[Ack]

    @cached_property
    def by_id(self) -> Mapping[str, Action]:
        return {action.id: action for action in self.actions}

    @cached_property
    def counts(self) -> Counter[str]:
        return Counter(effect.action for effect in self.effects)

    @cached_property
    def histories(self) -> Mapping[str, Sequence[State]]:
        """The states of every action, in order, as they were told."""
        seen: dict[str, list[State]] = defaultdict(list)
        for row in sorted(self.told, key=lambda row: row.id):
            seen[row.action_id].append(State(row.kind.removeprefix("action.")))
        return {action.id: seen.get(action.id, []) for action in self.actions} | dict(seen)

    @cached_property
    def payloads(self) -> Mapping[str, Sequence[Mapping[str, JsonValue]]]:
        """By tenant, in the order of the chain."""
        return {tenant: [_payload(r) for r in rs] for tenant, rs in self.receipts.items()}

    def outcomes(self, action: Action) -> Sequence[str]:
        said = self.payloads.get(action.who.tenant, ())
        return [str(each["outcome"]) for each in said if each["action_id"] == action.id]


def _payload(receipt: Receipt) -> Mapping[str, JsonValue]:
    parts = receipt.jws.split(".")
    plain = parts[0] if len(parts) == 2 else parts[1]
    read: Mapping[str, JsonValue] = json.loads(urlsafe_b64decode(plain + "=" * (-len(plain) % 4)))
    return read


def at_most_one_effect(record: Record) -> Iterator[str]:
    for action_id, count in record.counts.items():
        if count > 1:
            yield f"I1 {_named(record, action_id)} had {count} effects"


def no_effect_unapproved(record: Record) -> Iterator[str]:
    for effect in record.effects:
        action = record.by_id.get(effect.action)
        if action is None:
            yield f"I2 an effect of {effect.tool} belongs to no action"
            continue
        given = record.approvals[action.id]
        name = action.idem_key
        if not given or any(each.digest != action.digest for each in given):
            yield f"I2 {name} had its effect without an approval of its digest"
        if digest_now(action) != action.digest:
            yield f"I2 {name} is not what was approved"
        if dict(effect.arguments) != dict(action.call.arguments) or effect.tool != action.call.tool:
            yield f"I2 {name} did something else than was approved"
        if action.started is None or action.started >= action.expires:
            yield f"I2 {name} started after its approval expired"


def effect_and_receipt(record: Record) -> Iterator[str]:
    for action in record.actions:
        said = [o for o in record.outcomes(action) if o in {"succeeded", "failed"}]
        ended = action.state in WHEN_ENDED
        if len(said) != ended:
            yield f"I3 {action.idem_key} is {action.state} with {len(said)} receipts"
        if record.counts[action.id] and not ended and action.state is not State.UNKNOWN:
            yield f"I3 {action.idem_key} is {action.state} after its effect"
        yield from _effect_as_said(record, action, said)


def _effect_as_said(record: Record, action: Action, said: Sequence[str]) -> Iterator[str]:
    tool = action.call.tool
    if not said or tool == "read" or tool.startswith("set_up"):
        return
    count, already = record.counts[action.id], bool(action.result.get("already"))
    partial = said == ["failed"] and action.effect_ref != ""
    if said == ["failed"] and count and not partial:
        yield f"I3 {action.idem_key} failed ({action.reason}) with an effect"
    if (said == ["succeeded"] or partial) and not (count or already or _natural(action)):
        yield f"I3 {action.idem_key} succeeded without an effect"


def _natural(action: Action) -> bool:
    """Its target may have been as wanted before."""
    return action.call.tool in {"put", "remove"}


def approval_used_once(record: Record) -> Iterator[str]:
    for action in record.actions:
        given, started = record.approvals[action.id], action.started is not None
        used = [each for each in given if each.consumed_at is not None]
        if len(used) != (len(given) if started else 0):
            yield f"I4 {action.idem_key} is {action.state}, {len(used)} of {len(given)} used"
        if len({each.approver for each in given}) != len(given):
            yield f"I4 one person approved {action.idem_key} twice"
        firsts = sum(
            (one, other) == (State.APPROVED, State.STARTED)
            for one, other in _pairs(record.histories[action.id])
        )
        if firsts > 1:
            yield f"I4 {action.idem_key} started {firsts} times on one approval"


def two_people(record: Record) -> Iterator[str]:
    for action in record.actions:
        if action.started is None or RULES[action.tier].approvers is not Approvers.TWO:
            continue
        people = {each.approver for each in record.approvals[action.id]}
        if action.who.subject not in people or len(people) < 2:
            yield f"I5 {action.idem_key} was done on the word of {sorted(people)}"


def undone_in_reverse_once(record: Record) -> Iterator[str]:
    undone = Counter(each.undoes for each in _undos(record))
    for action_id, count in undone.items():
        if count > 1:
            yield f"I6 {_named(record, action_id or '')} was undone {count} times"
    started = Counter(a.undoes for a in record.actions if a.undoes and a.started is not None)
    for action_id, count in started.items():
        if count > 1:
            yield f"I6 {_named(record, action_id or '')} was taken back by {count} actions"
    yield from _out_of_order(record)


def _undos(record: Record) -> Sequence[Action]:
    """The undo of each effect that was one, in the order of effects."""
    actions = [record.by_id.get(effect.action) for effect in record.effects]
    return [action for action in actions if action is not None and action.undoes is not None]


def _out_of_order(record: Record) -> Iterator[str]:
    """Of steps that their flow took back; a person may take back any."""
    place = {action.id: number for number, action in enumerate(record.actions)}
    order: dict[str, list[int]] = defaultdict(list)
    for undo in _undos(record):
        step = record.by_id[undo.undoes or ""]
        if undo.parent is not None and step.parent is not None:
            order[step.parent].append(place[step.id])
    for flow, places in order.items():
        if places != sorted(places, reverse=True):
            yield f"I6 the steps of {_named(record, flow)} were undone out of order"


def nothing_acknowledged_is_lost(record: Record) -> Iterator[str]:
    for row in record.untold:
        yield f"I7 {row.kind} of {_named(record, row.action_id)} was never told"
    for ack in record.acks:
        kept = record.by_id.get(ack.action.id)
        if kept is None:
            yield f"I7 {ack.what} {ack.action.idem_key} was acknowledged, and is gone"
        elif ack.action.state not in record.histories[kept.id]:
            yield f"I7 {kept.idem_key} was said to be {ack.action.state}, and never was"
    for action in record.actions:
        history = record.histories[action.id]
        if not history or history[-1] is not action.state:
            yield f"I7 {action.idem_key} is {action.state}, told was {list(history)[-1:]}"


def chain_verifies(record: Record) -> Iterator[str]:
    for tenant, receipts in record.receipts.items():
        prev = ""
        for place, (receipt, said) in enumerate(
            zip(receipts, record.payloads[tenant], strict=True), 1
        ):
            named = (receipt.seq, said["seq"], receipt.prev, said["prev"], said["tenant"])
            if named != (place, place, prev, prev, tenant):
                yield f"I8 receipt {place} of {tenant} does not fit the chain"
            prev = sha256(receipt.jws.encode())
    for action in record.actions:
        told = [state.value for state in record.histories[action.id] if state in RECEIPTED]
        if told != list(record.outcomes(action)):
            yield f"I8 {action.idem_key} was {told}, its receipts say {record.outcomes(action)}"


def tenants_apart(record: Record) -> Iterator[str]:
    owner = {action.id: action.who.tenant for action in record.actions}
    found = [
        *(("receipt", r.action_id, {r.tenant, t}) for t, rs in record.receipts.items() for r in rs),
        *(("news", row.action_id, {row.tenant}) for row in (*record.told, *record.untold)),
        *(("effect", each.action, {each.tenant}) for each in record.effects),
        *(("parent", a.parent, {a.who.tenant}) for a in record.actions if a.parent),
        *(("undo", a.undoes, {a.who.tenant}) for a in record.actions if a.undoes),
    ]
    for what, action_id, tenants in found:
        if tenants != {owner.get(action_id)}:
            yield f"I9 {what} of {_named(record, action_id)} lies with {sorted(tenants)}"


def terminal_states_stay(record: Record) -> Iterator[str]:
    for action_id, history in record.histories.items():
        if history[:1] != [State.PROPOSED]:
            yield f"I10 {_named(record, action_id)} began as {history[:1]}"
        for one, other in _pairs(history):
            if other not in MOVES[one]:
                yield f"I10 {_named(record, action_id)} went from {one} to {other}"


def everything_ends(record: Record) -> Iterator[str]:
    """Not of the ten: no action is lost on the way."""
    for action in record.actions:
        waits = action.state is State.COMPENSATING and any(
            other.undoes == action.id and other.state is State.UNKNOWN for other in record.actions
        )
        if not (action.ended or waits):
            yield f"LIVE {action.idem_key} ({action.call.tool}) is still {action.state}"


INVARIANTS = (
    at_most_one_effect,
    no_effect_unapproved,
    effect_and_receipt,
    approval_used_once,
    two_people,
    undone_in_reverse_once,
    nothing_acknowledged_is_lost,
    chain_verifies,
    tenants_apart,
    terminal_states_stay,
    everything_ends,
)


def violations(record: Record) -> tuple[str, ...]:
    return tuple(wrong for invariant in INVARIANTS for wrong in invariant(record))


def _pairs(history: Sequence[State]) -> Iterator[tuple[State, State]]:
    return pairwise(history)


def _named(record: Record, action_id: str) -> str:
    action = record.by_id.get(action_id)
    return action_id if action is None else f"{action.idem_key} ({action.call.tool})"
