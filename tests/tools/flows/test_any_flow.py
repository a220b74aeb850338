"""Any flow: what is left after a failure is what was there before; what is done is done once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import JsonValue

from tests.tools.flows.stage import Stage, flow, step
from tools.journal import Action, State
from tools.types import EffectClass

NAMES = ("a", "b", "c", "d", "e")
PASSING = ("", "not_sent", "busy", "lost")
LATER = "busy_long"
CLASSES = st.sampled_from([EffectClass.KEYED, EffectClass.NATURAL, EffectClass.READ_BACK])
FAULTS = st.lists(st.sampled_from([*PASSING, LATER, "rejected", "drift"]), max_size=3)
RULES = st.sampled_from([None, "fail", "continue", "retry"])


@st.composite
def stages(draw: st.DrawFn) -> Stage:
    names = NAMES[: draw(st.integers(1, len(NAMES)))]
    there: list[str] = draw(st.lists(st.sampled_from(names), unique=True, max_size=2))
    stage = Stage(
        flow(*(_step(name, draw(RULES)) for name in names)),
        faults={name: draw(FAULTS) for name in names},
        effects={name: draw(CLASSES) for name in names},
    )
    for name in there:
        stage.shop.write("", name, "old")
    return stage


def _step(name: str, then: str | None) -> dict[str, object]:
    rules = [] if then is None else [{"codes": ["*"], "then": then, "after_s": 30, "tries": 2}]
    return step(name, on_error=rules)


async def _ended(stage: Stage) -> Action:
    return await stage.ended(await stage.run())


@given(stages())
@settings(max_examples=120, deadline=None)
def test_after_a_failure_everything_is_as_before(stage: Stage) -> None:
    before = stage.there()
    done = asyncio.run(_ended(stage))

    assert done.state in {State.SUCCEEDED, State.FAILED}
    if done.state is State.FAILED:
        assert stage.there() == before
    else:
        _all_or_left_out(stage, before)
    assert all(count == 1 for count in stage.shop.effects.values()), stage.shop.ledger


def _all_or_left_out(stage: Stage, before: dict[str, JsonValue]) -> None:
    for each in stage.definition.steps:
        found, rules = stage.there().get(each.id), [rule.then for rule in each.on_error]
        assert found == "new" or (rules == ["continue"] and found == before.get(each.id))


@given(stages(), st.data())
@settings(max_examples=60, deadline=None)
def test_undo_restores_what_was_there_whatever_the_steps_met(
    stage: Stage, data: st.DataObject
) -> None:
    before = stage.there()
    lost: Sequence[str] = data.draw(st.lists(st.sampled_from(PASSING), max_size=2))

    async def both() -> Action | None:
        done = await _ended(stage)
        if done.state is not State.SUCCEEDED:
            return None
        for tool in stage.tools.values():
            tool.back.extend(lost)
        return await stage.ended(await stage.undone(done))

    undone = asyncio.run(both())
    assert stage.there() == before
    assert undone is None or undone.state is State.SUCCEEDED, undone.detail
