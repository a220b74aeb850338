"""Planted bugs: each takes one guard away, and the simulator must notice within its schedules."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from tests.tools.simulation.running import run
from tests.tools.simulation.schedule import Outcome, Plan, Schedule, in_memory, stormy
from tools import approvals as approving
from tools import desk
from tools import executor as executing
from tools.executor import Executor
from tools.flows.drive import Drive
from tools.journal import Action, Claim, Ending, Receipt, State
from tools.store import deciding, doing, memory, moving
from tools.store.memory import MemoryRows
from tools.store.rows import Entry, Head
from tools.tool import UncertainError


@contextmanager
def planted(*patches: tuple[object, str, object]) -> Iterator[None]:
    """Attributes replaced for a while, whatever they are."""
    with ExitStack() as undo:
        for owner, name, value in patches:
            undo.callback(setattr, owner, name, getattr(owner, name))
            setattr(owner, name, value)
        yield


def _unfenced_stand(entry: Entry) -> tuple[object, ...]:
    return (entry.state,)


def _held_by_anybody(book: moving.Book, claim: Claim) -> Entry:
    return moving.locked(book, claim.action.who.tenant, claim.action.id)


def _unconsumed(rows: MemoryRows, entry: Entry, now: datetime) -> int:
    return len(rows.approvals(*entry.key))


_LATE: list[tuple[MemoryRows, Receipt, Head]] = []


def _late_receipt(rows: MemoryRows, receipt: Receipt, head: Head) -> None:
    """Written with the next receipt, in a transaction of its own; the head at once."""
    for store, waiting, _ in _LATE:
        if store._all is rows._all:
            rows._all.receipts[waiting.tenant, waiting.seq] = waiting
    _LATE[:] = [(rows, receipt, head)]
    rows._put(rows._all.heads, receipt.tenant, head)


def _late_receipts(
    rows: MemoryRows, tenant: str, after: int, _limit: int, _subject: str | None = None
) -> tuple[Receipt, ...]:
    every = sorted(rows._all.receipts.items())
    return tuple(r for (of, seq), r in every if of == tenant and seq > after)


def _never_doubts(_executor: Executor, job: Any, _failure: UncertainError) -> None:
    job.doubt = False


async def _blind(self: Executor, claim: Claim) -> Any:
    """A crash is forgotten: sent again, whatever the class."""
    return await _OUTCOME(self, replace(claim, resumed=False))


_OUTCOME = Executor._outcome


async def _no_objection(_executor: Executor, _job: Any) -> str:
    return ""


def _any_two(_book: moving.Book, _entry: Entry, _approval: object, _last: bool) -> None:
    return None


def _all_are_two(_requester: str, _given: set[str]) -> bool:
    return True


def _alive_until(entry: Entry, approval: Any, _now: datetime) -> Any:
    return _FLAW(entry, approval, entry.action.created)


_FLAW = deciding._flaw


def _unexpired(book: moving.Book, entry: Entry, _now: datetime) -> tuple[bool, str | None]:
    return _HINDERED(book, entry, entry.action.created)


_HINDERED = doing._hindered


def _none_overdue(_rows: MemoryRows, _now: datetime, _limit: int) -> tuple[Entry, ...]:
    return ()


def _any_digest(entry: Entry, approval: Any, now: datetime) -> Any:
    return _FLAW(entry, replace(approval, digest=entry.action.digest), now)


def _same_card(_action: Action, _decision: object) -> None:
    return None


def _always_undoable(_book: moving.Book, _undo: Entry, done: Entry) -> str | None:
    return None if done.action.undo is not None else "not_undoable"


def _open_again(book: moving.Book, _undo: Entry, done: Entry, now: datetime) -> None:
    if done.state in {State.SUCCEEDED, State.FAILED}:
        moving.advance(book, done, done.to(State.COMPENSATING, now))


def _undone_any(book: moving.Book, undo: Entry, ending: Ending, now: datetime) -> None:
    assert undo.action.undoes is not None
    undone = moving.locked(book, undo.action.who.tenant, undo.action.undoes)
    if undone.state is State.COMPENSATING:
        _CLOSE(book, undo, ending, now)


_CLOSE = doing._close_undone


def _silent(_rows: MemoryRows, entry: Entry, _now: datetime) -> None:
    if entry.state is not State.REFUSED:
        _TELL(_rows, entry, _now)


_TELL = MemoryRows.tell


def _always_lapsed(entry: Entry, now: datetime) -> bool:
    return True


def _no_lease(book: moving.Book, entry: Entry, lease: Any) -> Any:
    return _AGAIN(book, replace(entry, action=replace(entry.action, lease_until=None)), lease)


_AGAIN = doing._again


async def _forwards(self: Drive) -> Any:
    return list(reversed(await _DONE_STEPS(self)))


_DONE_STEPS = Drive.done_steps


def _settled_twice(book: moving.Book, claim: Claim, ending: Ending) -> Action:
    """No answer to the first time: the second is written as well."""
    entry = moving.locked(book, claim.action.who.tenant, claim.action.id)
    return doing._end(book, entry, ending, book.rows.now()).action


def _other_chain(rows: MemoryRows, _tenant: str) -> Head:
    return rows._all.heads.get("acme", Head())


@dataclass(frozen=True)
class Mutant:
    """`found_by` starts the wrongs of which one must appear."""

    name: str
    found_by: Sequence[str]
    plant: Callable[[], AbstractContextManager[None]]
    weather: Callable[[Plan], Plan] = lambda plan: plan


def _mutant(name: str, found_by: Sequence[str], *patches: tuple[object, str, object]) -> Mutant:
    return Mutant(name, found_by, lambda: planted(*patches))


_FREE_MOVES: Mapping[State, frozenset[State]] = {state: frozenset(State) for state in State}

MUTANTS = (
    Mutant(
        "fence not checked",
        ("I",),
        lambda: planted((memory, "_stand", _unfenced_stand), (doing, "_held", _held_by_anybody)),
        stormy,
    ),
    _mutant("approval not consumed", ("I4",), (MemoryRows, "consume", _unconsumed)),
    _mutant(
        "blind retry of class O",
        ("I1", "I3"),
        (Executor, "_outcome", _blind),
        (Executor, "_doubted", _never_doubts),
    ),
    _mutant(
        "receipt outside the transaction",
        ("I3", "I8"),
        (MemoryRows, "add_receipt", _late_receipt),
        (MemoryRows, "receipts", _late_receipts),
    ),
    _mutant(
        "one person is two",
        ("I5",),
        (deciding, "_personal", _any_two),
        (executing, "objection", lambda _action, _approvals: ""),
        (approving, "_two_people", _all_are_two),
    ),
    _mutant(
        "expiry not checked",
        ("I2",),
        (deciding, "_flaw", _alive_until),
        (doing, "_hindered", _unexpired),
        (MemoryRows, "overdue", _none_overdue),
    ),
    _mutant(
        "digest not checked",
        ("I2",),
        (deciding, "_flaw", _any_digest),
        (desk, "_same_card", _same_card),
    ),
    _mutant(
        "undone by everybody who asks",
        ("I6",),
        (doing, "_not_undoable", _always_undoable),
        (doing, "_open_undo", _open_again),
        (doing, "_close_undone", _undone_any),
    ),
    _mutant("refusals are not told", ("I7",), (MemoryRows, "tell", _silent)),
    _mutant(
        "a lease is no lease",
        ("I", "LIVE"),
        (memory, "_lapsed", _always_lapsed),
        (doing, "_again", _no_lease),
    ),
    _mutant("steps undone in order", ("I6",), (Drive, "done_steps", _forwards)),
    _mutant(
        "settled as often as asked",
        ("I3", "I8", "I10"),
        (doing, "settle", _settled_twice),
        (moving, "MOVES", _FREE_MOVES),
    ),
    _mutant(
        "one chain for all",
        ("I8",),
        (MemoryRows, "head", _other_chain),
        (MemoryRows, "receipts", _late_receipts),
    ),
)


def hunted(mutant: Mutant, seeds: Sequence[int]) -> Outcome | None:
    """The first schedule that notices."""

    def noticed(outcome: Outcome) -> bool:
        return any(wrong.startswith(tuple(mutant.found_by)) for wrong in outcome.wrongs)

    with mutant.plant():
        found = run(
            seeds, lambda seed: Schedule(seed, in_memory(), mutant.weather).run(), noticed
        ).failed
    return next((outcome for outcome in found if noticed(outcome)), None)
