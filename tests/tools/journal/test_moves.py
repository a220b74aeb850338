"""The table of moves is the whole of what can happen."""

from __future__ import annotations

from itertools import product

import pytest

from tests.tools.journal.making import NOON, Hands, Seal, new
from tools.journal import ENDED, MOVES, RECEIPTED, IllegalMoveError, State
from tools.journal_memory import MemoryJournal
from tools.store.memory import MemoryRows
from tools.store.moving import Book, advance


def test_every_state_has_its_moves() -> None:
    assert set(MOVES) == set(State)
    assert {to for moves in MOVES.values() for to in moves} == set(State) - {State.PROPOSED}


def test_what_is_final_is_left_by_nobody() -> None:
    final = {state for state, moves in MOVES.items() if not moves}
    assert final == {State.REFUSED, State.COMPENSATED, State.STUCK}
    assert final <= ENDED
    assert RECEIPTED <= ENDED


def test_an_effect_comes_after_an_approval() -> None:
    """Whatever leads to STARTED leads through APPROVED."""
    into_started = {state for state, moves in MOVES.items() if State.STARTED in moves}
    assert into_started == {State.APPROVED, State.STARTED}
    before = {state for state, moves in MOVES.items() if State.APPROVED in moves}
    assert before == {State.PROPOSED, State.PENDING}


def test_every_state_is_reached_and_every_ending_follows() -> None:
    reached, edge = {State.PROPOSED}, {State.PROPOSED}
    while edge:
        edge = {to for state in edge for to in MOVES[state]} - reached
        reached |= edge
    assert reached == set(State)
    for state in State:
        seen, edge = {state}, {state}
        while edge:
            edge = {to for one in edge for to in MOVES[one]} - seen
            seen |= edge
        assert seen & ENDED


@pytest.mark.parametrize(("one", "other"), list(product(State, State)))
async def test_a_move_outside_the_table_is_refused(one: State, other: State) -> None:
    journal = MemoryJournal(Seal(), Hands())
    action = await journal.propose(new())
    key = ("acme", action.id)
    entry = journal.shelves.entries[key].to(one, NOON)
    journal.shelves.entries[key] = entry
    book = Book(MemoryRows(journal.shelves, NOON), Seal(), bytes)
    if other in MOVES[one]:
        assert advance(book, entry, entry.to(other, NOON)).state is other
        assert len(await journal.receipts("acme")) == (other in RECEIPTED)
        return
    with pytest.raises(IllegalMoveError, match="cannot become"):
        advance(book, entry, entry.to(other, NOON))
    assert (await journal.action("acme", action.id)).state is one


async def test_a_move_from_what_it_was_before_is_refused() -> None:
    journal = MemoryJournal(Seal(), Hands())
    action = await journal.propose(new())
    before = journal.shelves.entries["acme", action.id]
    book = Book(MemoryRows(journal.shelves, NOON), Seal(), bytes)
    advance(book, before, before.to(State.PENDING, NOON))
    with pytest.raises(IllegalMoveError, match="not proposed any more"):
        advance(book, before, before.to(State.REFUSED, NOON))
