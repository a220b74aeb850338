"""Where a person is: what is open, done, left out, by whom and on what evidence."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onboarding.journeys import (
    Composed,
    Done,
    Enrolment,
    Journey,
    MigrationError,
    due_sends,
    merged,
    migrate,
    pinned,
    renamed,
    track,
)
from onboarding.types import Mode, Person, StepScope, StepState
from tests.onboarding.journeys.files import CAPS, GOAL, STEPS, TEXT, catalogue, journey, play
from tests.onboarding.journeys.harbor import harbor
from tests.onboarding.journeys.persons import NAMES, START, happened, view_at
from tests.onboarding.rules.worlds import NOW, TENANT, event, fact, world

DAY = timedelta(days=1)
ANA = Person(TENANT, "ana", "acme")
MORE = f"""\
  - {{id: share, action: share, scope: account, title: {TEXT}, done: {{event: Shared}}}}
  - {{id: pro, action: invite, show: advanced, optional: true, title: {TEXT}}}
  - {{id: team, action: mend, when: {{profile.role: admin}}, unless: {{state.mfa: true}}}}
"""


def composed(steps: str = STEPS + MORE, *more: str) -> Composed:
    return pinned(catalogue(journey(GOAL, *more, steps=steps)).journeys["first"], None)


def begun(**changes: object) -> Enrolment:
    return replace(Enrolment(ANA, "first", 1, NOW - 9 * DAY), **changes)  # type: ignore[arg-type]


def states(found: Composed, *args: object, **more: object) -> dict[str, str]:
    tracked = track(found, *args, **more)  # type: ignore[arg-type]
    return {step.id: step.state.value for step in tracked.progress.steps}


def test_steps_open_one_after_the_other() -> None:
    assert states(composed(), begun(), world(), ()) == {
        "connect": "open",
        "view": "blocked",
        "share": "open",
        "pro": "skipped",
        "team": "skipped",
    }
    known = world([event("Connected")], [fact("role", "admin")])
    assert states(composed(), begun(), known, (), Mode.ADVANCED) == {
        "connect": "done",
        "view": "open",
        "share": "open",
        "pro": "open",
        "team": "open",
    }


def test_what_was_done_before_is_done_with_its_evidence() -> None:
    early = event("Connected", 20 * DAY, "tom", message_id="m-1")
    shared = composed(STEPS.replace("action: connect,", "action: connect, scope: account,"))
    alone = track(composed(), begun(), world(team=[early]), ()).progress.steps[0]
    assert alone.state is StepState.OPEN  # what each has to do themselves
    tracked = track(shared, begun(), world(team=[early]), ())
    step = tracked.progress.steps[0]
    assert (step.state, step.by, step.done_at) == (StepState.DONE, "tom", NOW - 20 * DAY)
    assert step.evidence == ("m-1",)
    (fresh, *_) = tracked.fresh
    assert (fresh.step, fresh.evidence, fresh.by) == ("connect", ("m-1",), "tom")


def test_a_state_of_the_product_completes_a_step() -> None:
    view = world(facts=[fact("role", "admin")], states={"mfa": True})
    step = track(composed(), begun(), view, ()).progress.steps[-1]
    assert (step.state, step.evidence, step.by) == (StepState.DONE, ("state:mfa",), "ana")


def test_what_is_on_record_stands_whatever_rules_say_now() -> None:
    record = Done("connect", "connect", StepState.DONE, NOW - DAY, by="ana", evidence=("m-9",))
    tracked = track(composed(), begun(), world(), [record])
    assert tracked.progress.steps[0].evidence == ("m-9",)
    assert tracked.fresh == ()


def test_an_account_step_counts_by_its_action_and_names_who_did_it() -> None:
    theirs = Done("share", "share", StepState.DONE, NOW - DAY, StepScope.ACCOUNT, "tom", ("m",))
    step = track(composed(), begun(), world(), [replace(theirs, step="elsewhere")]).progress.steps[
        2
    ]
    assert (step.state, step.by) == (StepState.DONE, "tom")
    mine = Done("share", "share", StepState.SKIPPED, NOW - 2 * DAY)
    assert track(composed(), begun(), world(), [mine, theirs]).progress.steps[2].by == "tom"


def test_a_list_is_finished_without_what_is_optional_and_stays_so() -> None:
    view = world([event(name) for name in ("Connected", "Viewed", "Shared")])
    tracked = track(composed(), begun(), view, (), Mode.ADVANCED)
    assert tracked.finished
    assert tracked.progress.reached_at == NOW
    longer = composed(STEPS + MORE + f"  - {{id: new, action: kit, title: {TEXT}}}\n")
    again = begun(finished_at=NOW - DAY, reached_at=NOW - 2 * DAY)
    after = track(longer, again, world(facts=[fact("role", "admin")]), tracked.fresh)
    assert after.finished
    assert {s.state for s in after.progress.steps} == {StepState.DONE, StepState.SKIPPED}
    assert after.progress.share == 1.0
    assert after.progress.reached_at == NOW - 2 * DAY


@pytest.mark.parametrize(
    ("exits", "consented", "role", "why"),
    [
        ("[goal]", False, "end_user", None),
        ("[consent_withdrawn]", False, "admin", "consent_withdrawn"),
        ("[consent_withdrawn]", True, "admin", None),
        ("[audience_left]", True, "end_user", "audience_left"),
        ("[audience_left]", True, "admin", None),
        ("[audience_left]", True, "unknown", None),  # no longer known is nobody else
    ],
)
def test_who_leaves_and_why(exits: str, consented: bool, role: str, why: str | None) -> None:
    found = composed(STEPS, f"exit: {exits}", "audience: {profile.role: admin}")
    view = world(facts=[fact("role", role)])
    tracked = track(found, begun(), view, (), consented=consented)
    assert tracked.left == why
    assert (tracked.progress.left_at == NOW) is (why is not None)
    over = begun(finished_at=NOW - DAY)
    assert track(found, over, view, (), consented=consented).left is None


def test_the_goal_of_a_play_is_new() -> None:
    text = play("goal: {event: Viewed, within: 7d}", "kpi: activated")
    found = pinned(catalogue(text).plays["push"], None)
    old = track(found, begun(journey="push"), world([event("Viewed", 10 * DAY)]), ())
    new = track(found, begun(journey="push"), world([event("Viewed", DAY)]), ())
    assert (old.progress.reached_at, new.progress.reached_at) == (None, NOW)


@given(
    st.lists(st.sampled_from(NAMES), max_size=20),
    st.lists(st.integers(0, 20), max_size=8),
    st.sampled_from(["admin", "end_user", "executive"]),
)
def test_progress_is_the_same_however_often_and_in_whatever_order_it_is_asked(
    names: list[str], asked: list[int], role: str
) -> None:
    """Devices ask at different times, events are replayed: what was done once stays done, and in
    the end everybody sees the same."""
    events = happened(names)
    last = view_at([*events, *events], START + 400 * timedelta(hours=1), role)
    base = next(
        j for j in harbor().journeys.values() if j.name.startswith(role.split("_", maxsplit=1)[0])
    )
    found = pinned(base, None)
    enrolment = Enrolment(ANA, base.name, base.version, START)
    record: dict[str, Done] = {}
    for hours in sorted(asked):
        seen = track(found, enrolment, view_at(events, START + hours * timedelta(hours=1), role),
                     record.values())  # fmt: skip
        before = {step for step, done in record.items() if done.state is StepState.DONE}
        record |= {done.step: done for done in seen.fresh}
        now_done = {s.id for s in seen.progress.steps if s.state is StepState.DONE}
        assert before <= now_done
    asked_often = track(found, enrolment, last, record.values()).progress
    asked_once = track(found, enrolment, last, ()).progress
    assert [(s.id, s.state) for s in asked_often.steps] == [
        (s.id, s.state) for s in asked_once.steps
    ]
    assert track(found, enrolment, last, record.values()).progress == asked_often


_DONE = st.builds(
    Done,
    step=st.sampled_from("abcdef"),
    action=st.just("do"),
    state=st.sampled_from([StepState.DONE, StepState.SKIPPED]),
    at=st.integers(0, 50).map(lambda hours: START + timedelta(hours=hours)),
    by=st.sampled_from(["ana", "tom"]),
)


@given(st.lists(_DONE, max_size=8), st.lists(_DONE, max_size=8), st.lists(_DONE, max_size=8))
def test_a_merge_loses_no_done_step_whatever_the_order(
    one: list[Done], two: list[Done], three: list[Done]
) -> None:
    whole = merged(one, two)
    assert whole == merged(two, one)
    assert merged(whole, three) == merged(one, merged(two, three))
    every = {each.step for each in (*one, *two) if each.state is StepState.DONE}
    assert {each.step for each in whole if each.state is StepState.DONE} == every


def _lettered(letters: str, *more: str, version: int = 1) -> Journey:
    steps = "steps:\n" + "".join(f"  - {{id: {id}, action: do}}\n" for id in letters)
    return catalogue(journey(GOAL, *more, version=version, steps=steps)).journeys["first"]


LETTERS = _lettered("abcdef")
RENAMED = _lettered(
    "abxf", "migrate: {from: 1, map: {a: b, b: a, c: x, d: x}, drop: [e]}", version=2
)


@given(st.lists(_DONE, unique_by=lambda done: done.step))
def test_a_migration_loses_no_done_step(done: list[Done]) -> None:
    moved = migrate(begun(), LETTERS, RENAMED)
    assert moved is not None
    assert (moved.after.version, moved.after.started_at) == (2, begun().started_at)
    kept = merged(renamed(done, moved), ())
    names = {"a": "b", "b": "a", "c": "x", "d": "x", "e": "e", "f": "f"}
    finished = {names[each.step] for each in done if each.state is StepState.DONE}
    assert {each.step for each in kept if each.state is StepState.DONE} == finished


def test_what_a_migration_does_not_speak_of_stops_it() -> None:
    old = catalogue(journey(GOAL)).journeys["first"]
    steps = f"steps:\n  - {{id: look, action: view, title: {TEXT}}}\n"
    new = catalogue(
        journey(GOAL, "migrate: {from: 1, map: {view: look}}", version=2, steps=steps)
    ).journeys["first"]
    with pytest.raises(MigrationError, match="says nothing of connect"):
        migrate(begun(), old, new)
    assert migrate(begun(finished_at=NOW), old, new) is None
    assert migrate(begun(version=7), replace_version(old, 7), new) is None


def replace_version(found: Journey, version: int) -> Journey:
    return found.model_copy(update={"version": version})


SENDS = """\
  - {id: tip, send: in_app/tip, wait: 2h}
  - {id: mail, send: email/help, after: [tip], wait: 1d, when: {not: {event: Viewed}}}
  - {id: late, send: email/help, after: [view], kind: news}
  - {id: remind, send: email/help, repeat: [1d, 3d, 30d]}
"""


def test_messages_are_due_when_their_rule_and_time_say_so() -> None:
    found = composed(STEPS + SENDS, CAPS)
    tracked = track(found, begun(), world(), ())
    due = due_sends(found, begun(), tracked.progress, world())
    start = begun().started_at
    assert [(each.key, each.not_before - start) for each in due] == [
        ("tip", timedelta(hours=2)),
        ("mail", timedelta(hours=26)),
        ("remind", DAY),
        ("remind.2", 3 * DAY),
    ]
    assert {(each.via.value, each.template, each.kind) for each in due} == {
        ("in_app", "tip", "tips"),
        ("email", "help", "tips"),
    }


def test_messages_wait_for_their_steps_and_end_with_the_goal() -> None:
    found = composed(STEPS + SENDS, CAPS, "exit: [audience_left]")
    view = world([event("Connected", 3 * DAY), event("Viewed", 2 * DAY)])
    tracked = track(found, begun(), view, ())
    due = due_sends(found, begun(), tracked.progress, view)
    assert ("late", NOW - 2 * DAY, "news") in [(e.key, e.not_before, e.kind) for e in due]
    assert "mail" not in [each.key for each in due]
    ends = composed(STEPS + SENDS, CAPS)  # whose exit is the goal
    assert due_sends(ends, begun(), track(ends, begun(), view, ()).progress, view) == ()
    left = replace(tracked.progress, left_at=NOW)
    assert due_sends(found, begun(), left, view) == ()
