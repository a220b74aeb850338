"""What a flow left open is said again in its conversation: by risk, until it is done."""

from __future__ import annotations

from dataclasses import dataclass, field

from pydantic import JsonValue

from agent.acting import AskFor, Plan, PlannerTurn, Ready, Slot, Wish
from agent.reminding import GIVES_UP_S, NOT_READ_S
from guardrails.labels import Integrity
from tests.agent.acting_floor import TENANT, Stage
from tests.tools.flows.stage import Stage as FlowStage
from tests.tools.flows.stage import flow, step
from tools.flows.definition import DAY_S
from tools.journal import REMINDER, State
from tools.tool import ForbiddenError


def item(name: str, risk: str) -> dict[str, JsonValue]:
    there: JsonValue = {"$result": "seen", "at": f"/value/{name}", "present": False}
    return {"id": name, "title": f"Do {name}", "why": f"{name} matters.", "open": there,
            "risk": risk}  # fmt: skip


def wishes(turn: PlannerTurn) -> Plan | None:
    if turn.text == "secure it" or (turn.text == "yes" and turn.offered == "flow"):
        return Ready(Wish("flow", {"name": Slot("n", Integrity.USER_TYPED)}))
    if turn.text == "set a lamp":
        return AskFor(Wish("flow", asked="name"), "name", "Which lamp?")
    return None


@dataclass
class Evening:
    """A finished flow that reminds of a door (high risk) and a window (medium)."""

    lines: FlowStage = field(init=False)
    stage: Stage = field(init=False)

    async def begin(self) -> None:
        reading = {"do": "read_item", "with": {"name": "house"}}
        reminders = {"look": reading, "items": [item("window", "medium"), item("door", "high")]}
        name = {"name": {"schema": {"type": "string"}, "label": "Name"}}
        self.lines = FlowStage(flow(step("a"), arguments=name, reminders=reminders))
        self.lines.shop.write("", "house", {})
        self.stage = Stage(floor=self.lines.floor, lines=(wishes,))
        await self.again()

    async def again(self) -> None:
        done = await self.stage.approves(await self.stage.says("secure it"))
        assert "Done: **Do all of it**" in done.text
        await self.stage.deliver()

    def closed(self, **what: bool) -> None:
        self.lines.shop.write("", "house", dict(what))

    async def later(self, seconds: float) -> list[str]:
        """What was said meanwhile without being asked."""
        before = len(await self._said())
        self.lines.floor.clock.pass_s(seconds)
        await self.stage.deliver()
        return (await self._said())[before:]

    async def _said(self) -> list[str]:
        found = await self.stage.conversations.conversation(TENANT, "t1")
        assert found is not None
        return [m.text for m in found.messages if m.role == "assistant"]


async def evening() -> Evening:
    made = Evening()
    await made.begin()
    return made


async def test_what_is_open_is_said_again_the_riskiest_sooner_and_first() -> None:
    made = await evening()
    assert await made.later(DAY_S - 60) == []
    (day,) = await made.later(61)
    assert "- **Do door** (high risk): door matters." in day
    assert "window" not in day
    (third,) = await made.later(2 * DAY_S)
    assert third.index("Do door") < third.index("Do window")
    assert "Shall I go on with it?" in third


async def test_what_was_done_meanwhile_is_left_out_and_then_nothing_is_said() -> None:
    made = await evening()
    made.closed(door=True)
    assert await made.later(DAY_S + 1) == []
    (third,) = await made.later(2 * DAY_S)
    assert "door" not in third
    made.closed(door=True, window=True)
    assert await made.later(8 * DAY_S) == []
    assert await made.stage.journal.outbox() == ()


async def test_it_ends_after_its_times() -> None:
    made = await evening()
    days = [await made.later(DAY_S + 1) for _ in range(40)]
    assert [day for day, said in enumerate(days, 1) if said] == [1, 3, 7, 10]


async def test_yes_goes_on_with_it() -> None:
    made = await evening()
    await made.later(DAY_S + 1)
    paused = await made.stage.says("yes")
    assert paused.pauses and "**Do all of it**" in paused.text


async def test_a_wish_in_the_making_is_not_pushed_aside() -> None:
    made = await evening()
    await made.stage.says("set a lamp")
    (day,) = await made.later(DAY_S + 1)
    assert "Shall I go on" not in day
    found = await made.stage.says("and now?")
    assert "Which lamp?" not in day and found.text


async def test_nobody_is_reminded_who_does_not_want_to_be() -> None:
    made = await evening()
    assert "I will not remind you" in (await made.stage.says("stop reminding me")).text
    assert await made.later(8 * DAY_S) == []
    assert "I have no reminders" in (await made.stage.says("no more reminders please")).text
    assert "keine Erinnerungen" in (await made.stage.says("Bitte nicht mehr daran erinnern")).text


async def test_what_was_taken_back_or_done_again_does_not_remind_twice() -> None:
    made = await evening()
    await made.again()
    assert len(await made.later(DAY_S + 1)) == 1
    await made.stage.approves(await made.stage.says("undo that"))
    newest = await made.stage.actions()
    assert State.COMPENSATED in {action.state for action in newest}


async def test_nothing_is_said_of_a_state_that_was_not_seen() -> None:
    made = await evening()
    made.lines.reader.faults.extend([ForbiddenError("not_signed_in")] * 2)
    assert await made.later(DAY_S + 1) == []
    assert await made.later(NOT_READ_S) == []
    assert len(await made.later(NOT_READ_S)) == 1


async def test_after_a_month_of_no_sight_it_is_given_up() -> None:
    made = await evening()
    made.lines.reader.faults.append(ForbiddenError("not_signed_in"))
    await made.later(DAY_S + 1)
    assert await made.later(GIVES_UP_S) == []
    assert await made.stage.journal.outbox() == ()


async def test_a_second_server_does_not_say_it_twice() -> None:
    made = await evening()
    made.lines.floor.clock.pass_s(DAY_S + 1)
    (row,) = [r for r in await made.stage.journal.outbox() if r.kind == REMINDER]
    other = made.stage.another("other")
    first, second = await made.stage.copilot.notify(row), await other.notify(row)
    assert first == second and first is not None
    assert 2 * DAY_S - 5 < first <= 2 * DAY_S
    found = await made.stage.conversations.conversation(TENANT, "t1")
    assert found is not None
    assert sum("Still open" in message.text for message in found.messages) == 1
