"""A flow over its journal: what a step's failure does to it, and what is left when it ends."""

from __future__ import annotations

import pytest

from tests.tools.flows.stage import Stage, flow, step
from tools.canonical import canonical, sha256
from tools.journal import IllegalMoveError, State
from tools.tool import BusyError, ForbiddenError, RejectedError, UncertainError


def rule(then: str, code: str = "not_allowed", **more: object) -> dict[str, object]:
    return {"codes": [code], "then": then, **more}


async def test_steps_run_in_order_each_once_with_one_receipt_a_step() -> None:
    stage = Stage(flow(step("a"), step("b"), result={"first": {"$result": "a", "at": "/value"}}))
    done = await stage.run()

    assert done.state is State.SUCCEEDED
    assert dict(done.result) == {"first": "new"}
    assert [name for _, name, _ in stage.shop.ledger] == ["a", "b"]
    for name in ("a", "b"):
        action = await stage.step(done, name)
        assert action is not None
        assert action.parent == done.id
        assert await stage.floor.books.receipt_of("t", action.id) is not None
        (approval,) = await stage.floor.books.approvals("t", action.id)
        assert (approval.channel, approval.approver) == ("flow", "ana")
    assert [(each.step, each.done, each.of) for each in stage.told] == [
        ("Set a", 0, 2), ("Set b", 1, 2), ("", 2, 2),
    ]  # fmt: skip


async def test_a_failed_step_takes_the_earlier_ones_back_in_reverse_order() -> None:
    stage = Stage(flow(step("a"), step("b"), step("c")), {"c": ["rejected"]})
    done = await stage.run()

    assert (done.state, done.reason, done.detail) == (State.FAILED, "not_allowed", "no such plan")
    assert stage.there() == {}
    assert [name for _, name, value in stage.shop.ledger if value is None] == ["b", "a"]


async def test_what_the_rule_says_is_what_the_user_reads() -> None:
    told = rule("fail", say="Ask your administrator.", offer="flow")
    stage = Stage(flow(step("a", on_error=[told])), {"a": ["rejected"]})

    assert (await stage.run()).detail == "Ask your administrator."
    assert stage.definition.manifest().remedies == {"not_allowed": "flow"}


async def test_continue_leaves_the_step_out() -> None:
    left_out = step("a", on_error=[rule("continue", "*")])
    stage = Stage(flow(left_out, step("b"), result={"a": {"$result": "a"}}), {"a": ["rejected"]})
    done = await stage.run()

    assert done.state is State.SUCCEEDED
    assert (stage.there(), dict(done.result)) == ({"b": "new"}, {})


async def test_retry_waits_within_the_run_when_the_wait_is_short() -> None:
    again = step("a", on_error=[rule("retry", after_s=2, tries=3)])
    stage = Stage(flow(again), {"a": ["rejected", "rejected"]})

    assert (await stage.run()).state is State.SUCCEEDED
    assert stage.slept == [2, 2]
    assert stage.times() == {"a": 1}


async def test_retry_gives_up_after_its_tries_and_takes_back() -> None:
    again = step("b", on_error=[rule("retry", after_s=1, tries=3, say="Still busy.")])
    stage = Stage(flow(step("a"), again), {"b": ["rejected"] * 9})
    done = await stage.run()

    assert (done.state, done.detail) == (State.FAILED, "Still busy.")
    assert len(stage.tools["b"].attempts) == 3
    assert stage.there() == {}


async def test_a_long_wait_lets_go_of_the_worker_and_says_until_when() -> None:
    again = step("b", on_error=[rule("retry", after_s=60, tries=2, say="I try again.")])
    stage = Stage(flow(step("a"), again), {"b": ["rejected"]})
    waiting = await stage.run()

    assert (waiting.state, waiting.detail) == (State.STARTED, "I try again.")
    assert waiting.lease_until is not None
    assert 59 < (waiting.lease_until - stage.floor.clock()).total_seconds() <= 60
    done = await stage.ended(waiting)
    assert done.state is State.SUCCEEDED
    assert stage.times() == {"a": 1, "b": 1}


def waited(**more: object) -> dict[str, object]:
    return {"do": "read_item", "with": {"name": "ready"}, "every_s": 1,
            "until": {"$result": "a", "at": "/value", "in": ["yes"]},
            "fails": {"$result": "a", "at": "/value", "in": ["no"]}, **more}  # fmt: skip


async def test_a_wait_longer_than_the_run_goes_on_later_without_repeating_the_step() -> None:
    stage = Stage(flow(step("a", wait=waited()), step("b")), inline_s=3)
    waiting = await stage.run()
    assert (waiting.state, stage.times()) == (State.STARTED, {"a": 1})

    stage.shop.items["ready"] = "yes"
    done = await stage.ended(waiting)
    assert (done.state, stage.times()) == (State.SUCCEEDED, {"a": 1, "b": 1})


async def test_a_wait_that_reads_a_failure_fails_the_step_and_takes_it_back() -> None:
    stage = Stage(flow(step("a", wait=waited(code="/value", detail="/items/0/name"))))
    stage.shop.items["ready"] = "no"
    done = await stage.run()

    assert (done.state, done.reason, done.detail) == (State.FAILED, "no", "ready")
    assert stage.there() == {"ready": "no"}


async def test_a_wait_ends_at_its_limit() -> None:
    stage = Stage(flow(step("a", wait=waited(for_s=5))), inline_s=100)
    done = await stage.run()

    assert (done.state, done.reason) == (State.FAILED, "timed_out")
    assert stage.there() == {}


async def test_a_reading_without_an_answer_is_asked_again_and_then_postponed() -> None:
    once = [UncertainError("lost")]
    stage = Stage(flow(step("a", wait=waited())), reading_faults=once)
    stage.shop.items["ready"] = "yes"
    assert (await stage.run()).state is State.SUCCEEDED
    assert stage.reader.readings == 2

    silent = Stage(flow(step("a", wait=waited())), reading_faults=[UncertainError("lost")] * 9)
    silent.shop.items["ready"] = "yes"
    waiting = await silent.run()
    assert (waiting.state, waiting.reason) == (State.STARTED, "lost")
    assert (await silent.ended(waiting)).state is State.SUCCEEDED
    assert silent.times() == {"a": 1}


async def test_a_reading_that_is_refused_fails_the_step() -> None:
    stage = Stage(flow(step("a", wait=waited())), reading_faults=[ForbiddenError("no_right")])

    assert (await stage.run()).reason == "no_right"
    assert stage.there() == {}


DONE = {
    "done_read": {"do": "read_item", "find": {"in": "/items", "where": {"/name": {"$arg": "x"}}}},
    "done_if": {"$result": "a", "at": "/value", "present": True},
}
X = {"x": {"schema": {"type": "string"}, "label": "X"}}


async def test_what_is_there_already_is_neither_done_nor_taken_back() -> None:
    stage = Stage(
        flow(step("a", **DONE), step("b"), arguments=X, result={"a": {"$result": "a"}}),
        {"b": ["rejected"]},
    )
    stage.shop.items["a"] = "old"
    done = await stage.run(x="a")

    assert done.state is State.FAILED
    assert stage.there() == {"a": "old"}
    assert stage.tools["a"].attempts == []


async def test_what_is_not_there_is_done() -> None:
    stage = Stage(flow(step("a", **DONE), arguments=X))

    assert (await stage.run(x="a")).state is State.SUCCEEDED
    assert stage.there() == {"a": "new"}


async def test_undo_takes_everything_back_and_a_second_one_finds_nothing() -> None:
    stage = Stage(flow(step("a"), step("b")))
    done = await stage.run()
    undone = await stage.undone(done)

    assert (undone.state, stage.there()) == (State.SUCCEEDED, {})
    before = list(stage.shop.ledger)
    with pytest.raises(IllegalMoveError, match="nothing to take back"):
        await stage.undone(done)
    assert stage.shop.ledger == before


async def test_undo_stops_at_what_was_changed_since_and_names_it() -> None:
    stage = Stage(flow(step("a"), step("b"), step("c")))
    done = await stage.run()
    stage.shop.write("", "b", "by hand")
    undone = await stage.undone(done)

    assert undone.state is State.FAILED
    assert dict(undone.result)["still_there"] == ["Set b: target_changed"]
    assert stage.there() == {"a": "new", "b": "by hand"}


async def test_a_rollback_that_meets_drift_says_what_is_still_there() -> None:
    look = {"id": "r", "title": "Look", "do": "read_item"}
    stage = Stage(flow(step("a"), look, step("b")), {"b": ["rejected"]})
    stage.reader.on_read = lambda: stage.shop.write("", "a", "by hand")
    done = await stage.run()

    assert (done.state, done.reason) == (State.FAILED, "not_allowed")
    assert dict(done.result) == {"failed_step": "b", "still_there": ["Set a: target_changed"]}
    assert stage.there() == {"a": "by hand"}


async def test_a_kept_step_stays() -> None:
    stage = Stage(flow(step("a", keep=True), step("b"), step("c")), {"c": ["rejected"]})

    assert (await stage.run()).state is State.FAILED
    assert stage.there() == {"a": "new"}


async def test_a_reading_step_is_read_once_and_remembered_by_the_journal() -> None:
    reading = {"id": "r", "title": "Look", "do": "read_item", "with": {"name": "ready"}}
    again = step("b", on_error=[rule("retry", after_s=60)])
    stage = Stage(
        flow(reading, again, result={"seen": {"$result": "r", "at": "/value"}}),
        {"b": ["rejected"]},
    )
    stage.shop.items["ready"] = "first"
    waiting = await stage.run()
    stage.shop.items["ready"] = "second"
    done = await stage.ended(waiting)

    assert dict(done.result) == {"seen": "first"}
    assert stage.reader.readings == 1


async def test_a_step_of_a_higher_tier_than_the_flow_is_not_covered() -> None:
    stage = Stage(flow(step("a"), tier=1))

    assert (await stage.run()).reason == "not_covered"
    assert stage.there() == {}


async def test_the_receipt_commits_to_what_stands_in_the_end() -> None:
    policy: dict[str, object] = {"commits_to": {"at": {"$result": "a", "at": "/value"}}}
    one, same = Stage(flow(step("a"), **policy)), Stage(flow(step("a"), **policy))
    other = Stage(flow(step("a", **{"with": {"name": "a", "value": "else"}}), **policy))
    references = [(await stage.run()).effect_ref for stage in (one, same, other)]

    assert references[0] == references[1] == f"sha256:{sha256(canonical({'at': 'new'}))}"
    assert references[2] != references[0]


async def test_a_look_that_is_refused_or_silent_is_told_as_such() -> None:
    seen: dict[str, object] = {"look": {"do": "read_item"}}
    refused = Stage(flow(step("a"), **seen), reading_faults=[ForbiddenError("no_right")])
    with pytest.raises(RejectedError, match="no_right"):
        await refused.approved()

    silent = Stage(flow(step("a"), **seen), reading_faults=[UncertainError("lost")] * 9)
    with pytest.raises(BusyError) as busy:
        await silent.approved()
    assert busy.value.retry_after_s is not None
    assert busy.value.retry_after_s > 1
