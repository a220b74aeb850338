"""The journal beside a model that is too small to be wrong, driven by Hypothesis."""

from __future__ import annotations

from collections.abc import Coroutine
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    precondition,
    rule,
)
from typing_extensions import override

from tests.contracts.journal_bench import check_chain, payload
from tests.tools.journal.making import (
    CARD,
    DONE,
    FAILED,
    SUCCEEDED,
    UNDO,
    UNKNOWN,
    Hands,
    Seal,
    new,
    other_call,
    yes,
)
from tests.tools.journal.model import Row, now_run
from tools.journal import (
    ENDED,
    MOVES,
    RECEIPTED,
    Action,
    ApprovalError,
    Claim,
    Ending,
    FencedOutError,
    IllegalMoveError,
    Journal,
    JournalError,
    State,
)
from tools.journal_memory import MemoryJournal, at_once
from tools.journal_sql import SqlJournal
from tools.store.engine import open_engine, upgrade
from tools.types import Principal, Tier
from tools.vault_memory import MemoryVault

S = State
PEOPLE = ("ada", "bob", "cyd")
ENDINGS = (SUCCEEDED, FAILED, UNKNOWN, Ending(S.FAILED, DONE, "half"))


class Machine(RuleBasedStateMachine):
    actions: Bundle[str] = Bundle("actions")
    claims: Bundle[Claim] = Bundle("claims")

    def __init__(self) -> None:
        super().__init__()
        self.hands, self.seal = Hands(), Seal()
        self.journal = self.opened()
        self.rows: dict[str, Row] = {}
        self.denied: dict[str, datetime] = {}

    def opened(self) -> Journal:
        return MemoryJournal(self.seal, self.hands)

    # --- proposing and deciding -----------------------------------------------------------------

    @rule(target=actions, who=st.sampled_from(PEOPLE), tier=st.sampled_from([Tier.R2, Tier.R4]))
    def propose(self, who: str, tier: Tier) -> str:
        return self._proposed(who, tier, None)

    @rule(target=actions, action_id=actions, who=st.sampled_from(PEOPLE))
    def propose_undo(self, action_id: str, who: str) -> str:
        return self._proposed(who, Tier.R2, action_id)

    @rule(target=actions, who=st.sampled_from(PEOPLE))
    def ready(self, who: str) -> str:
        return self._ready(self._proposed(who, Tier.R2, None), who)

    @rule(target=actions, action_id=actions, who=st.sampled_from(PEOPLE))
    def ready_undo(self, action_id: str, who: str) -> str:
        return self._ready(self._proposed(who, Tier.R2, action_id), who)

    def _ready(self, action_id: str, who: str) -> str:
        self.present(action_id)
        self.approve(action_id, who, last=True)
        return action_id

    def _proposed(self, who: str, tier: Tier, undoes: str | None) -> str:
        person = Principal("acme", who, "acme-1")
        call = UNDO if undoes else other_call(f"n{len(self.rows)}")
        action = now_run(self.journal.propose(new(who=person, tier=tier, call=call, undoes=undoes)))
        self.rows[action.id] = Row(action)
        return action.id

    @rule(action_id=actions)
    def propose_again(self, action_id: str) -> None:
        known = self.rows[action_id].action
        same = new(known.idem_key, who=known.who)
        assert now_run(self.journal.propose(same)).id == action_id

    @rule(action_id=actions)
    def present(self, action_id: str) -> None:
        row = self.rows[action_id]
        if row.state not in {S.PROPOSED, S.PENDING}:
            self._refused_move(self.journal.present(row.action, CARD))
            return
        shown = now_run(self.journal.present(row.action, CARD))
        if row.state is S.PENDING:
            return
        row.to(self._shown(row))
        assert (shown.id == action_id) or self._kept(row).reason == "merged"

    def _shown(self, row: Row) -> State:
        """What a card becomes: at most five, none twice, none too late."""
        if self._late(row):
            return S.REFUSED
        mine = [
            other
            for other in self.rows.values()
            if other.state is S.PENDING
            and other.action.who == row.action.who
            and not self._late(other)
        ]
        twin = any(other.action.undoes == row.action.undoes is not None for other in mine)
        denied = row.action.undoes is not None and any(
            other.state is S.REFUSED
            and other.action.who == row.action.who
            and other.action.undoes is not None
            and self._denied_lately(other)
            for other in self.rows.values()
        )
        return S.REFUSED if twin or denied or len(mine) >= 5 else S.PENDING

    def _denied_lately(self, row: Row) -> bool:
        kept = self._kept(row)
        at = self.denied.get(row.action.id)
        hour = timedelta(hours=1)
        return kept.reason == "denied" and at is not None and self.hands.at - at < hour

    @rule(action_id=actions, who=st.sampled_from(PEOPLE), last=st.booleans())
    def approve(self, action_id: str, who: str, last: bool) -> None:
        row = self.rows[action_id]
        expected = self._approval(row, who, last)
        word = yes(row.action, who)
        try:
            got = now_run(self.journal.approve(row.action, word, last=last))
        except ApprovalError as refusal:
            assert refusal.code == expected
            if expected == "expired":
                row.to(S.REFUSED)
            return
        assert expected == ""
        row.people.add(who)
        if last:
            row.to(S.APPROVED)
        assert got.state is row.state

    def _approval(self, row: Row, who: str, last: bool) -> str:
        if row.state is not S.PENDING:
            return "not_pending"
        if self._late(row):
            return "expired"
        if last and row.action.tier is Tier.R4 and not row.people - {who}:
            return "self_approval"
        return "already_decided" if who in row.people else ""

    @rule(action_id=actions)
    def approve_another_digest(self, action_id: str) -> None:
        row = self.rows[action_id]
        if row.state is S.PENDING and not self._late(row):
            other = yes(row.action)
            forged = type(other)(**{**_fields(other), "digest": "A" * 43})
            try:
                now_run(self.journal.approve(row.action, forged, last=True))
            except ApprovalError as refusal:
                assert refusal.code == "digest_mismatch"
            else:
                raise AssertionError("a forged digest was taken")

    @rule(action_id=actions, reason=st.sampled_from(["denied", "cancelled"]))
    def refuse(self, action_id: str, reason: str) -> None:
        row = self.rows[action_id]
        if row.state not in {S.PROPOSED, S.PENDING, S.APPROVED}:
            self._refused_move(self.journal.refuse(row.action, reason, "ada"))
            return
        now_run(self.journal.refuse(row.action, reason, "ada"))
        row.to(S.REFUSED)
        if reason == "denied":
            self.denied[action_id] = self.hands.at
            row.people.discard("ada")

    # --- doing ----------------------------------------------------------------------------------

    @rule(
        target=claims,
        action_id=actions,
        worker=st.sampled_from(["w1", "w2"]),
        lease_s=st.sampled_from([1.0, 30.0]),
    )
    def claim(self, action_id: str, worker: str, lease_s: float) -> Any:
        row = self.rows[action_id]
        may = self._claimable(row)
        claim = now_run(self.journal.claim(worker, lease_s, action_id))
        if not may:
            assert claim is None
            return multiple()
        assert claim is not None
        self._take(row, worker, lease_s)
        assert (claim.action.fence, claim.action.state) == (row.fence, S.STARTED)
        return claim

    def _claimable(self, row: Row) -> bool:
        """And what the attempt alone changes."""
        if row.state is S.STARTED:
            return row.lease is not None and row.lease <= self.hands.at
        if row.state is not S.APPROVED:
            return False
        undone = self.rows.get(row.action.undoes or "")
        undoable = undone is None or (
            undone.state in {S.SUCCEEDED, S.FAILED} and undone.undoable and not undone.taken
        )
        if self._late(row) or not undoable:
            row.to(S.REFUSED)
            return False
        if undone is not None:
            undone.taken = True
            undone.to(S.COMPENSATING)
        return True

    def _take(self, row: Row, worker: str, lease_s: float) -> None:
        row.to(S.STARTED)
        row.fence += 1
        row.worker = worker
        row.lease = self.hands.at + timedelta(seconds=lease_s)

    @rule(target=claims, worker=st.sampled_from(["w1", "w2"]))
    def scan(self, worker: str) -> Any:
        for row in self.rows.values():
            if row.state in {S.PROPOSED, S.PENDING, S.APPROVED} and self._late(row):
                row.to(S.REFUSED)
        claim = now_run(self.journal.claim(worker, 30.0))
        lapsed = [
            row
            for row in self.rows.values()
            if row.state is S.STARTED and row.lease is not None and row.lease <= self.hands.at
        ]
        if lapsed:
            assert claim is not None
            assert claim.resumed or self._kept(self.rows[claim.action.id]).attempt > 1
            assert self.rows[claim.action.id] in lapsed
            self._take(self.rows[claim.action.id], worker, 30.0)
            return claim
        for row in self.rows.values():
            if row.state is S.APPROVED and self._claimable(row):
                assert claim is not None
                assert claim.action.id == row.action.id
                self._take(row, worker, 30.0)
                return claim
        assert claim is None
        return multiple()

    @rule(target=claims, action_id=actions)
    def take_over(self, action_id: str) -> Any:
        """Once its lease has surely run out."""
        self.hands.pass_s(31.0)
        return self.claim(action_id, "w2", 1.0)

    @rule(claim=claims)
    def renew(self, claim: Claim) -> None:
        row = self.rows[claim.action.id]
        if self._holds(row, claim):
            now_run(self.journal.renew(claim))
            row.lease = self.hands.at + timedelta(seconds=claim.lease_s)
        else:
            self._fenced(self.journal.renew(claim))

    @rule(claim=claims, seconds=st.sampled_from([0.0, 5.0]), doubt=st.booleans())
    def postpone(self, claim: Claim, seconds: float, doubt: bool) -> None:
        row = self.rows[claim.action.id]
        work = self.journal.postpone(claim, seconds, "busy", doubt=doubt)
        if not self._holds(row, claim):
            self._fenced(work)
            return
        now_run(work)
        row.told.append(S.STARTED)
        row.fence += 1
        row.worker = ""
        row.lease = self.hands.at + timedelta(seconds=seconds)

    @rule(claim=consumes(claims), ending=st.sampled_from(ENDINGS))
    def settle(self, claim: Claim, ending: Ending) -> None:
        row = self.rows[claim.action.id]
        work = self.journal.settle(claim, ending)
        if row.fence == claim.action.fence and row.state is ending.state:
            now_run(work)  # told twice
            return
        if not self._holds(row, claim):
            self._fenced(work)
            return
        now_run(work)
        self._ended(row, ending)

    @rule(action_id=actions, ending=st.sampled_from(ENDINGS))
    def resolve(self, action_id: str, ending: Ending) -> None:
        row = self.rows[action_id]
        work = self.journal.resolve(row.action, ending, "ada")
        if row.state is not S.UNKNOWN or ending.state is S.UNKNOWN:
            self._refused_move(work)
            return
        now_run(work)
        self._ended(row, ending)

    def _ended(self, row: Row, ending: Ending) -> None:
        row.to(ending.state)
        row.undoable = ending.done is not None and ending.done.undo is not None
        undone = self.rows.get(row.action.undoes or "")
        if undone is not None and ending.state is not S.UNKNOWN:
            undone.to(S.COMPENSATED if ending.state is S.SUCCEEDED else S.STUCK)

    @rule(worker=st.sampled_from(["w1", "w2"]))
    def lapse(self, worker: str) -> None:
        held = [r for r in self.rows.values() if r.state is S.STARTED and r.worker == worker]
        assert now_run(self.journal.lapse(worker)) == len(held)
        for row in held:
            row.lease = self.hands.at

    # --- time -----------------------------------------------------------------------------------

    @rule(seconds=st.sampled_from([0.5, 10.0, 400.0, 4000.0]))
    def wait(self, seconds: float) -> None:
        self.hands.pass_s(seconds)

    @precondition(lambda self: self.rows)
    @rule()
    def expire(self) -> None:
        late = [
            row
            for row in self.rows.values()
            if row.state in {S.PROPOSED, S.PENDING, S.APPROVED} and self._late(row)
        ]
        assert now_run(self.journal.expire()) == len(late)
        for row in late:
            row.to(S.REFUSED)

    # --- what always holds ----------------------------------------------------------------------

    @invariant()
    def journal_and_model_agree(self) -> None:
        for row in self.rows.values():
            kept = self._kept(row)
            assert (kept.state, kept.fence) == (row.state, row.fence)
            assert (kept.undo is not None) == row.undoable
            assert kept.ended == (row.state in ENDED)
            given = now_run(self.journal.approvals("acme", kept.id))
            assert {each.approver for each in given} == row.people
            assert all((each.consumed_at is not None) == (row.fence > 0) for each in given)

    @invariant()
    def receipts_are_those_of_endings(self) -> None:
        receipts = now_run(self.journal.receipts("acme"))
        assert len(receipts) == sum(row.receipts for row in self.rows.values())
        for row in self.rows.values():
            said = [payload(r)["outcome"] for r in receipts if r.action_id == row.action.id]
            assert said == [state.value for state in row.told if state in RECEIPTED]

    @invariant()
    def every_move_is_told_and_legal(self) -> None:
        rows = now_run(self.journal.outbox(10_000))
        for row in self.rows.values():
            told = [S(r.kind.removeprefix("action.")) for r in rows if r.action_id == row.action.id]
            assert told == row.told
            assert all(b in MOVES[a] for a, b in pairwise(told))

    @override
    def teardown(self) -> None:
        check_chain(now_run(self.journal.receipts("acme")), self.seal)

    # --- helpers --------------------------------------------------------------------------------

    def _kept(self, row: Row) -> Action:
        return now_run(self.journal.action("acme", row.action.id))

    def _late(self, row: Row) -> bool:
        return row.action.expires <= self.hands.at

    def _holds(self, row: Row, claim: Claim) -> bool:
        return row.state is S.STARTED and row.fence == claim.action.fence

    def _fenced(self, work: Coroutine[Any, Any, object]) -> None:
        _raises(work, FencedOutError)

    def _refused_move(self, work: Coroutine[Any, Any, object]) -> None:
        _raises(work, IllegalMoveError)


def _raises(work: Coroutine[Any, Any, object], kind: type[JournalError]) -> None:
    try:
        now_run(work)
    except kind:
        return
    raise AssertionError(f"no {kind.__name__}")


def _fields(value: object) -> dict[str, Any]:
    return {name: getattr(value, name) for name in value.__slots__}  # type: ignore[attr-defined]


class SqlMachine(Machine):
    @override
    def opened(self) -> Journal:
        self.engine = open_engine("sqlite://")
        upgrade(self.engine)
        return SqlJournal(self.engine, MemoryVault(), self.seal, clock=self.hands, runner=at_once)

    @override
    def teardown(self) -> None:
        super().teardown()
        self.engine.dispose()


TestMemoryMachine = Machine.TestCase
TestMemoryMachine.settings = settings(max_examples=150, stateful_step_count=40)
TestSqlMachine = SqlMachine.TestCase
TestSqlMachine.settings = settings(max_examples=15, stateful_step_count=30)
