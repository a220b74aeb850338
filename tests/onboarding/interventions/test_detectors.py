"""Every row of `detectors.yaml`, on signals in order, late and twice; watches that are stored."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from itertools import permutations
from math import sqrt
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrails.consent import Purpose
from guardrails.consent.fields import Tagged
from onboarding.interventions.detecting import FILE, Detectors, Watch
from onboarding.interventions.patterns import Looks
from onboarding.interventions.signals import (
    Signal,
    SignalKind,
    Signals,
    normal_form,
    person_of,
    unknown_names,
)
from onboarding.interventions.templating import Templates
from onboarding.interventions.tracks import MOST_KEYS, MOST_MARKS
from onboarding.rules import DataFileError, data_of, read_data
from onboarding.types import Event, EventKind, Friction
from tests.onboarding.interventions.making import ANA, NOON

K = SignalKind
DETECTORS = Detectors.read(read_data(FILE))
HARBOR = Path(__file__).parents[3] / "examples" / "harbor" / "onboarding" / "friction"
SIGNALS = Signals.read(*(read_data(folder / "signals.yaml") for folder in (FILE.parent, HARBOR)))
LOOKS = Looks(risk=lambda step: {"connect": 0.6}.get(step, 0.1), median={"connect": 30.0}.get)


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def signal(seconds: float, kind: SignalKind, about: str = "", **more: object) -> Signal:
    name = f"{kind}-{seconds}-{about}-{more.get('code', '')}"
    return Signal(name, kind, at(seconds), about, **more)  # type: ignore[arg-type]  # its fields


def frictions(
    *signals: Signal, until: float | None = None, watch: Watch | None = None
) -> list[Friction]:
    """What is found, with timers asked before each signal as a driver would."""
    own = watch or Watch()
    found: list[Friction] = []
    for each in signals:
        found += DETECTORS.see(own, ANA, each, LOOKS)
    if until is not None:
        found += DETECTORS.due(own, ANA, at(until), LOOKS)
    return found


def ids(found: list[Friction]) -> list[tuple[str, str]]:
    return [(each.detector, each.about) for each in found]


def clicks(*times: float, x: float = 0.0, code: str = "button") -> list[Signal]:
    return [signal(t, K.CLICK, "save", code=code, x=x * n) for n, t in enumerate(times)]


def test_rage_clicks() -> None:
    answered = [signal(0.1, K.RESPONSE)]
    (found,) = frictions(*clicks(0, 0.4, 0.9), *answered)
    assert (found.detector, found.about, found.severity, found.fix) == (
        "rage_click",
        "save",
        2,
        "troubleshooter",
    )
    assert len(found.evidence) == 3
    assert found.at == at(0.9)


@pytest.mark.parametrize(
    "signals",
    [
        clicks(0, 0.5, 1.1),
        clicks(0, 0.4),
        clicks(0, 0.3, 0.6, x=31),
        clicks(0, 0.3, 0.6, code="stepper"),
        clicks(0, 0.3, 0.6, code="text"),
        [signal(0, K.RAGE_CLICK, "save", count=2)],
    ],
)
def test_clicks_that_are_no_rage(signals: list[Signal]) -> None:
    assert frictions(*signals) == []


def test_rage_that_the_page_counted() -> None:
    assert ids(frictions(signal(0, K.RAGE_CLICK, "save", count=4))) == [("rage_click", "save")]


def test_dead_clicks_are_two_without_an_answer() -> None:
    assert ids(frictions(*clicks(0, 30), until=40)) == [("dead_click", "save")]
    assert frictions(*clicks(0, 30), until=32) == []
    assert frictions(*clicks(0, 90), until=95) == []
    answered = [signal(2.4, K.RESPONSE), signal(31, K.RESPONSE)]
    assert frictions(*clicks(0, 30), *answered, until=60) == []
    late = [signal(2.6, K.RESPONSE), signal(33, K.RESPONSE)]
    assert ids(frictions(*clicks(0, 30), *late, until=60)) == [("dead_click", "save")]


def test_an_answer_that_is_told_before_its_click() -> None:
    signals = [signal(1, K.RESPONSE), *clicks(0), signal(31, K.RESPONSE), *clicks(30)]
    assert frictions(*signals, until=60) == []


def test_dead_clicks_that_the_page_found() -> None:
    found = frictions(signal(0, K.DEAD_CLICK, "logo"), signal(50, K.DEAD_CLICK, "logo"))
    assert ids(found) == [("dead_click", "logo")]
    assert frictions(signal(0, K.DEAD_CLICK, "logo"), signal(50, K.DEAD_CLICK, "menu")) == []


OPENED, EDITED = signal(0, K.FORM_OPENED, "invite"), signal(10, K.FORM_EDITED, "invite")
SUBMITTED, LEFT = signal(60, K.FORM_SUBMITTED, "invite"), signal(60, K.FORM_LEFT, "invite")


def test_a_form_that_is_left_or_forgotten() -> None:
    assert ids(frictions(OPENED, EDITED, LEFT)) == [("form_abandoned", "invite")]
    (found,) = frictions(OPENED, EDITED, until=311)
    assert (found.detector, found.at) == ("form_abandoned", at(310))
    assert frictions(OPENED, EDITED, until=309) == []


@pytest.mark.parametrize(
    "signals",
    [[OPENED, LEFT], [OPENED, EDITED, SUBMITTED], [OPENED, SUBMITTED, EDITED], [OPENED]],
)
def test_a_form_that_is_not_abandoned(signals: list[Signal]) -> None:
    assert frictions(*signals, until=9999) == []


def test_who_goes_on_typing_has_not_left() -> None:
    edits = [signal(n * 200, K.FORM_EDITED, "invite") for n in range(1, 5)]
    watch = Watch()
    for each in edits:
        assert DETECTORS.due(watch, ANA, each.at, LOOKS) == ()
        assert frictions(each, watch=watch) == []
    assert ids(frictions(watch=watch, until=1101)) == [("form_abandoned", "invite")]


def test_the_same_error_twice() -> None:
    twice = [signal(t, K.ERROR, f"page{t}", code="HBR-101") for t in (0, 599)]
    assert ids(frictions(*twice)) == [("repeated_error", "page599")]
    apart = [signal(t, K.ERROR, "p", code="HBR-101") for t in (0, 601)]
    assert frictions(*apart) == []
    others = [signal(t, K.ERROR, "p", code=f"HBR-{t}") for t in (0, 10)]
    assert frictions(*others) == []


@pytest.mark.parametrize(
    ("kind", "detector", "fix"),
    [
        (K.IMPORT_FAILED, "import_failed", "csv_fallback"),
        (K.DENIED, "permission_denied", "ask_admin"),
        (K.LIMITED, "rate_limited", "scheduled_retry"),
    ],
)
def test_what_is_enough_once(kind: SignalKind, detector: str, fix: str) -> None:
    (found,) = frictions(signal(0, kind, "stripe"))
    assert (found.detector, found.fix, found.about) == (detector, fix, "stripe")


def test_the_same_question_twice() -> None:
    def asked(t: float, text: str) -> Signal:
        return signal(t, K.ASKED, normal_form(text))

    assert len(frictions(asked(0, "How do I invite?"), asked(800, "how do i  INVITE"))) == 1
    assert frictions(asked(0, "How do I invite?"), asked(901, "how do i invite")) == []
    assert frictions(asked(0, "How do I invite?"), asked(9, "What does it cost?")) == []


@pytest.mark.parametrize(("cosine", "count"), [(0.91, 1), (0.89, 0)])
def test_a_question_that_means_the_same(cosine: float, count: int) -> None:
    one = signal(0, K.ASKED, "a", vector=(1.0, 0.0))
    other = signal(60, K.ASKED, "b", vector=(cosine, sqrt(1 - cosine**2)))
    assert len(frictions(one, other)) == count


def shown(*steps: str, gap: float = 20.0) -> list[Signal]:
    return [signal(n * gap, K.STEP_SHOWN, step) for n, step in enumerate(steps)]


def test_back_and_forth() -> None:
    assert ids(frictions(*shown("a", "b", "a", "b", "a", "b", "a"))) == [("back_and_forth", "a")]
    assert frictions(*shown("a", "b", "a", "b", "a", "b")) == []
    assert frictions(*shown("a", "a", "a", "a", "a", "a", "a")) == []
    assert frictions(*shown("a", "b", "a", "b", "a", "b", "a", gap=110)) == []


def test_hesitation_is_against_what_is_usual() -> None:
    first = signal(0, K.STEP_SHOWN, "connect")
    assert ids(frictions(first, until=91)) == [("hesitation", "connect")]
    assert frictions(first, until=89) == []
    assert frictions(first, signal(60, K.INPUT, "connect"), until=200) == []
    assert ids(frictions(first, signal(95, K.INPUT, "connect"))) == [("hesitation", "connect")]
    assert frictions(signal(0, K.STEP_SHOWN, "other"), until=900) == []


def test_a_stall_is_the_models_word() -> None:
    begun = [signal(0, K.STEP_SHOWN, "connect"), signal(5, K.INPUT, "connect")]
    assert ids(frictions(*begun, until=1806)) == [("idle_stall", "connect")]
    assert frictions(*begun, until=1804) == []
    unlikely = [signal(0, K.STEP_SHOWN, "easy")]
    assert frictions(*unlikely, until=9999) == []
    done = [*begun, signal(60, K.STEP_DONE, "connect")]
    assert frictions(*done, until=9999) == []


def test_a_stall_needs_a_model() -> None:
    watch = Watch()
    DETECTORS.see(watch, ANA, signal(0, K.STEP_SHOWN, "connect"))
    assert DETECTORS.due(watch, ANA, at(9999)) == ()


def test_nothing_is_found_anew_while_it_cools() -> None:
    watch = Watch()
    assert len(frictions(signal(0, K.DENIED, "sso"), watch=watch)) == 1
    assert frictions(signal(3599, K.DENIED, "sso"), watch=watch) == []
    assert len(frictions(signal(60, K.DENIED, "billing"), watch=watch)) == 1
    assert len(frictions(signal(3600, K.DENIED, "sso"), watch=watch)) == 1


def test_the_same_event_twice_counts_once() -> None:
    error = signal(0, K.ERROR, "p", code="E")
    assert frictions(error, error, error) == []


@pytest.mark.parametrize(
    "signals",
    [
        clicks(0, 0.4, 0.8),
        [signal(t, K.ERROR, "p", code="E") for t in (0, 300)],
        [signal(0, K.ASKED, "q"), signal(100, K.ASKED, "q")],
        [OPENED, EDITED, SUBMITTED],
        shown("a", "b", "a", "b", "a"),
        [*clicks(0), signal(1, K.RESPONSE), *clicks(30), signal(32, K.RESPONSE)],
    ],
)
def test_the_order_of_arrival_does_not_matter(signals: list[Signal]) -> None:
    expected = set(ids(frictions(*signals, until=200)))
    for order in permutations(signals):
        assert set(ids(frictions(*order, until=200))) == expected


KINDS = st.sampled_from(list(SignalKind))
STREAM = st.lists(
    st.builds(
        lambda n, t, kind, about, code: Signal(f"e{n}", kind, at(t), about, code),
        st.integers(0, 200),
        st.floats(0, 4000, allow_nan=False),
        KINDS,
        st.sampled_from(["a", "b", "c", "d"]),
        st.sampled_from(["", "E1", "E2"]),
    ),
    max_size=60,
)


@settings(deadline=None, max_examples=60)
@given(STREAM, st.integers(0, 59))
def test_a_watch_that_is_stored_goes_on_as_if_it_had_not_been(
    stream: list[Signal], cut: int
) -> None:
    whole, first = Watch(), Watch()
    expected = frictions(*stream, watch=whole, until=9000)
    found = frictions(*stream[:cut], watch=first)
    again = Watch.loaded(first.dumped())
    found += frictions(*stream[cut:], watch=again, until=9000)
    assert found == expected
    assert again.dumped() == whole.dumped()


def test_memory_is_bounded_whatever_comes() -> None:
    rng, watch, sizes = Random(1), Watch(), []
    kinds = list(SignalKind)
    for n in range(6000):
        kind = rng.choice(kinds)
        made = Signal(f"e{n}", kind, at(n), f"about-{rng.randrange(500)}", f"E{rng.randrange(90)}")
        DETECTORS.see(watch, ANA, made, LOOKS)
        if n % 100 == 0:
            DETECTORS.due(watch, ANA, at(n), LOOKS)
            sizes.append(len(watch.dumped()))
    for tracks in watch.tracks.values():
        assert len(tracks.by_key) <= MOST_KEYS + 1
        assert all(len(track.marks) <= MOST_MARKS for track in tracks.by_key.values())
    assert all(len(each) <= MOST_KEYS for each in watch.fired.values())
    assert max(sizes[30:]) < 1.5 * max(sizes[:30])


def test_next_due_is_the_first_timer() -> None:
    watch = Watch()
    assert watch.next_due() is None
    frictions(EDITED, *clicks(20), watch=watch)
    assert watch.next_due() == at(22.5)
    DETECTORS.due(watch, ANA, at(23), LOOKS)
    assert watch.next_due() == at(310)


# reading files and events


def event(name: str, **fields: object) -> Event:
    both = frozenset({Purpose.SUPPORT})
    kept = {key: Tagged(value, both) for key, value in fields.items()}  # type: ignore[arg-type]
    return Event("t", "m1", EventKind.TRACK, name, "1-0-0", "ana", None, "acme", NOON, NOON, kept)


def test_harbors_events_are_seen() -> None:
    failed = SIGNALS.of(
        event("Import Failed", mode="full", connector="stripe", error_code="HBR-301")
    )
    assert [(s.kind, s.about, s.code) for s in failed] == [
        (K.IMPORT_FAILED, "stripe", "HBR-301"),
        (K.ERROR, "import", "HBR-301"),
        (K.LIMITED, "import", ""),
    ]
    assert all(("source", "stripe") in signal.known for signal in failed)
    checked = SIGNALS.of(event("Connection Check Failed", connector="pg", error_code="HBR-105"))
    assert [(s.kind, s.about) for s in checked] == [(K.ERROR, "pg"), (K.DENIED, "pg")]
    assert dict(checked[0].known) == {"code": "HBR-105", "source": "pg"}
    asked = SIGNALS.of(event("Rate Limited", operation="list_alerts", retry_after_s=30))
    assert [(s.kind, dict(s.known)) for s in asked] == [(K.LIMITED, {"retry_after": "30"})]
    assert SIGNALS.of(event("Dashboard Created")) == ()


def test_rows_name_events_and_fields_that_have_contracts() -> None:
    text = (
        "signals:\n"
        "  - {event: form_lft, signal: form_left, about: [form]}\n"
        "  - {event: form_left, signal: form_left, about: [frm], known: {step: stage}}\n"
    )
    found = list(unknown_names(data_of(text, "signals.yaml"), {"form_left": {"form", "step"}}))
    assert [line.partition(" ")[2] for line in found] == [
        "signals.0.event: there is no event form_lft; did you mean form_left?",
        "signals.1.about: form_left has no field frm; did you mean form?",
        "signals.1.known: form_left has no field stage; did you mean step?",
    ]
    assert [line.split(":")[1] for line in found] == ["2", "3", "3"]


def test_a_field_that_is_not_for_support_is_not_seen() -> None:
    kept = {"connector": Tagged("pg", frozenset({Purpose.TRAINING}))}
    made = Event(
        "t",
        "m",
        EventKind.TRACK,
        "Connection Created",
        "1-0-0",
        None,
        "anon",
        None,
        NOON,
        NOON,
        kept,
    )
    (found,) = SIGNALS.of(made)
    assert found.about == ""
    person = person_of(made)
    assert person is not None
    assert person.user == "anon"


def test_every_fix_fills_its_template() -> None:
    templates = Templates.load()
    for fix in DETECTORS.fixes.values():
        needed = templates.placeholders(fix.template)
        assert needed == frozenset(fix.values)


GOOD = FILE.read_text()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("n: 3\n      within_s: 1", "n: 0\n      within_s: 1", "detectors.yaml:10:"),
        ("pattern: burst", "pattern: brust", "brust"),
        ("fix: [tooltip, walkthrough]", "fix: [tooltp]", "did you mean tooltip?"),
        ("id: dead_click", "id: rage_click", "rage_click is there twice"),
        ("severity: 1", "severity: 4", "severity"),
        ("cooldown: 10m", "cooldown: 10", "such as 14d"),
        ("  person: {template", "  nobody: {template", "person"),
        ("radius: 30", "radios: 30", "radios"),
    ],
)
def test_mistakes_in_the_file(old: str, new: str, said: str) -> None:
    assert old in GOOD
    with pytest.raises(DataFileError) as raised:
        Detectors.read(data_of(GOOD.replace(old, new, 1), "detectors.yaml"))
    assert said in str(raised.value)
    assert "detectors.yaml:" in str(raised.value)


def test_a_watch_is_plain_json() -> None:
    watch = Watch()
    frictions(*clicks(0, 0.4, 0.8), signal(1, K.ASKED, "q", vector=(0.6, 0.8)), watch=watch)
    assert isinstance(json.loads(watch.dumped()), dict)
    with pytest.raises(ValueError, match="tracks"):
        Watch.loaded('{"tracks": 3}')
