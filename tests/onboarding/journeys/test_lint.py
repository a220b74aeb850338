"""Every rule of lint has a file that breaks it and nothing else, and says where and what."""
# ruff: noqa: E501 - a case a line

from __future__ import annotations

import pytest

from tests.onboarding.journeys.files import (
    CAPS,
    GOAL,
    STEPS,
    TEXT,
    findings,
    guide,
    journey,
    kit,
    play,
    source,
)

PLAY = ("kpi: activated", "purpose: product_analytics", "audience: {event: Signed Up}")
KIT = (
    "industry: fintech",
    "persona: admin",
    "action: apply_kit",
    f"values: [{{key: floor, label: {TEXT}, type: integer, default: 5, minimum: 1}}]",
    f"alerts: [{{id: a, title: {TEXT}, with: {{threshold: {{edit: floor}}}}}}]",
    f"compliance: [{{id: n, text: {TEXT}, source: PCI DSS}}]",
)
TIP = (
    "trigger: {event: Connected}",
    "anchor: {css: '#a'}",
    f"depth: {{novice: {{text: {TEXT}}}}}",
)
VIDEO = (
    "trigger: {event: Connected}",
    "anchor: {guide: kit}",
    "depth: {novice: {video: {seconds: 9, file: {en: clip.webm, de: clip.webm},"
    " captions: {en: clip.en.vtt, de: clip.de.vtt}, transcript: {en: a, de: b}}}}",
)
SEND = "  - {id: mail, send: email/help}\n"


def step(more: str, id: str = "extra", action: str = "share") -> str:
    return f"{STEPS}  - {{id: {id}, action: {action}, title: {TEXT}, why: {TEXT}, {more}}}\n"


def swapped(parts: tuple[str, ...], start: str, new: str) -> tuple[str, ...]:
    """With the line that begins so replaced, or gone."""
    return tuple(
        new if part.startswith(start) else part
        for part in parts
        if new or not part.startswith(start)
    )


@pytest.mark.parametrize(
    "text",
    [
        journey(GOAL, CAPS, "quiet: {from: '20:00', to: '08:00'}", "entry: {on: Signed Up}"),
        play(*PLAY, CAPS, steps=STEPS + SEND),
        kit(*KIT),
        guide(*TIP),
        guide(*VIDEO, kind="video"),
    ],
)
def test_good_files_have_no_findings(text: str) -> None:
    assert findings(text) == []


JOURNEYS = [
    ("missing_goal", journey(), "1.yaml:1:1: the file: goal is missing"),
    ("window_not_stated", journey("goal: {event: Viewed}"), "1.yaml:5:1: goal: say the time"),
    (
        "window_not_stated",
        journey(GOAL, "caps: {email: {max: 1, per: 24h}}"),
        "1.yaml:6:8: caps.email: say how it counts",
    ),
    (
        "window_not_stated",
        journey(GOAL, "entry: {on: Signed Up, max: 2}"),
        "1.yaml:6:1: entry: say how far apart",
    ),
    (
        "unknown_event",
        journey("goal: {event: Veiwed, within: 14d}"),
        "1.yaml:5:8: goal.event: there is no event Veiwed; did you mean Viewed?",
    ),
    ("unknown_event", journey(GOAL, "entry: {on: Signed In}"), "did you mean Signed Up?"),
    (
        "unknown_feature",
        journey(GOAL, 'audience: {feature.day: "<3"}'),
        "1.yaml:6:12: audience.feature.day: there is no feature day; did you mean days?",
    ),
    ("unknown_fact", journey(GOAL, "audience: {profile.rol: admin}"), "did you mean role?"),
    ("unknown_state", journey(GOAL, "audience: {state.mfaa: true}"), "did you mean mfa?"),
    (
        "wrong_type",
        journey(GOAL, 'audience: {state.plan: ">3"}'),
        "plan is a text; > compares numbers",
    ),
    (
        "unknown_value",
        journey(GOAL, "audience: {state.plan: teams}"),
        "plan is never teams; did you mean team?",
    ),
    (
        "unknown_experiment",
        journey(GOAL, "audience: {experiment: copi, arm: short}",
                "experiment: {id: copy, arms: {control: 50, short: 50}, primary: activated, mde: 10%}"),
        "there is no experiment copi; did you mean copy?",
    ),
    (
        "unknown_metric",
        journey(GOAL, "experiment: {id: copy, arms: {a: 50, b: 50}, primary: active, mde: 10%}"),
        "experiment.primary: there is no metric active",
    ),
    (
        "unknown_zone",
        journey(GOAL, "quiet: {from: '20:00', to: '08:00', zone: Europe/Berln}"),
        "there is no zone Europe/Berln; did you mean Europe/Berlin?",
    ),
    (
        "done_by_nothing",
        journey("goal: {not: {event: Viewed}, within: 14d}"),
        "goal: it may hold because nothing has happened",
    ),
    ("missing_translation", journey(GOAL).replace(f"title: {TEXT}", "title: {en: a}", 1),
     "1.yaml:4:1: title: there is no text in de"),
    ("invalid", journey(GOAL, "audiance: {event: Viewed}"), "1.yaml:6:1: audiance: there is no such key"),
    ("invalid", journey(GOAL).replace("owner: growth\n", ""), "1.yaml:1:1: the file: owner is missing"),
    ("invalid", journey(GOAL, "caps: {email: 3 a day}"), "1.yaml:6:8: caps.email: write 3/session or"),
    ("invalid", journey(GOAL, "caps: {email: {max: 1, per: 36h, window: calendar}}"),
     "a calendar window is per 1d or per 7d"),
    ("invalid", journey(GOAL, "quiet: {from: '24:30', to: '08:00'}"), "a time of the day is written"),
    ("invalid",
     journey(GOAL, "experiment: {id: copy, arms: {a: 50, b: 40}, primary: activated, mde: 10%}"),
     "the arms sum to 90, not 100"),
]  # fmt: skip
OF_STEPS = [
    ("twice", step("done: {event: Shared}", id="connect"), "1.yaml:10:6: steps.2.id: connect is there twice"),
    ("unknown_step", step("after: [vew]"), "steps.2.after.0: there is no step vew; did you mean view?"),
    ("cycle", step("after: [extra]"), "steps.2.after: extra waits for itself"),
    ("unknown_action", step("done: {event: Shared}", action="shar"), "did you mean share?"),
    ("unknown_action", step("on_error: mendd"), "steps.2.on_error: there is no action mendd; did you mean mend?"),
    ("unknown_template", STEPS + "  - {id: mail, send: email/hlp}\n", "did you mean email/help?"),
    ("unknown_step", STEPS + '  - {id: mail, send: email/help, when: {stalled: {step: conect, risk: ">=0.3"}}}\n',
     "there is no step conect; did you mean connect?"),
    ("done_by_nothing", step("unless: {not: {event: Shared}}"), "steps.2.unless: it may hold because"),
    ("missing_translation", STEPS + f"  - {{id: x, action: share, title: {TEXT}, why: {{en: a, de: ' '}}}}\n",
     "steps.2.why: there is no text in de"),
    ("invalid", step("effort: 6"), "steps.2.effort: Input should be less than or equal to 5"),
    ("invalid", step("effort: 0"), "steps.2.effort: Input should be greater than or equal to 1"),
    ("invalid", step("send: email/help"), "a step has one of action and send"),
    ("invalid", step("wait: 6h"), "wait and repeat belong to steps that send"),
    ("invalid", STEPS + "  - {id: mail, send: email/help, optional: true}\n",
     "on_error, optional and show belong to steps with an action"),
]  # fmt: skip
PLAYS = [
    ("no_kpi", play(*swapped(PLAY, "kpi", "")), "kpi is missing"),
    ("no_purpose", play(*swapped(PLAY, "purpose", "")), "purpose is missing"),
    ("no_audience", play(*swapped(PLAY, "audience", "")), "audience is missing"),
    ("unknown_metric", play(*swapped(PLAY, "kpi", "kpi: activatd")), "did you mean activated?"),
    ("marketing_before_goal", play(*swapped(PLAY, "purpose", "purpose: marketing")),
     "purpose: what advertises comes after the goal"),
    ("transactional_advert",
     play(*swapped(PLAY, "purpose", "purpose: marketing"), "after_goal: true", "class: transactional"),
     "class: what advertises is never transactional"),
    ("no_cap", play(*PLAY, steps=STEPS + SEND), "it sends email without a cap"),
]  # fmt: skip
KITS = [
    ("unknown_value", kit(*swapped(KIT, "industry", "industry: fintec")), "did you mean fintech?"),
    ("unknown_value", kit(*swapped(KIT, "persona", "persona: admn")), "did you mean admin?"),
    ("unknown_action", kit(*swapped(KIT, "action", "action: apply_kt")), "did you mean apply_kit?"),
    ("unknown_edit", kit(*KIT, f"dashboards: [{{id: w, title: {TEXT}, with: {{x: {{edit: flor}}}}}}]"),
     "dashboards.0.with: there is no value flor; did you mean floor?"),
    ("unused_edit",
     kit(*swapped(KIT, "alerts", f"alerts: [{{id: a, title: {TEXT}, with: {{threshold: 3}}}}]")),
     "nothing uses floor"),
    ("says_nothing", kit(*swapped(swapped(KIT, "alerts", ""), "values", "")), "a kit makes something"),
    ("missing_translation", kit(*KIT, f"playbooks: [{{id: p, title: {TEXT}, steps: [{{en: a}}]}}]"),
     "playbooks.0.steps.0: there is no text in de"),
    ("unknown_step", kit(*KIT, f"steps: [{{id: k, action: kit, title: {TEXT}, why: {TEXT}, after: [no]}}]"),
     "there is no step no"),
    ("invalid", kit(*swapped(KIT, "compliance", "")), "compliance is missing"),
    ("invalid", kit(*swapped(KIT, "compliance", "compliance: []")), "compliance: "),
    ("invalid", kit(*swapped(KIT, "values",
     f"values: [{{key: floor, label: {TEXT}, type: integer, default: 0, minimum: 1}}]")),
     "the default is below 1"),
]  # fmt: skip
GUIDES = [
    ("unknown_event", guide(*swapped(TIP, "trigger", "trigger: {event: Conected}")), "Connected?"),
    ("unknown_step", guide(*TIP, "step: conect"), "there is no step conect"),
    ("says_nothing", guide(*swapped(TIP, "depth", "depth: {novice: {}}")), "a tooltip says something"),
    ("missing_translation", guide(*swapped(TIP, "depth", "depth: {novice: {text: {en: a}}}")),
     "depth.novice.text: there is no text in de"),
    ("missing_translation",
     guide(*TIP[:2], "depth: {novice: {stops: [{anchor: {css: b}, text: {de: b}}]}}", kind="walkthrough"),
     "depth.novice.stops.0.text: there is no text in en"),
    ("no_caption",
     guide(*(part.replace(", de: clip.de.vtt", "") for part in VIDEO), kind="video"),
     "captions: the video has no captions in de"),
    ("no_caption",
     guide(*(part.replace("clip.de.vtt", "clip.de.srt") for part in VIDEO), kind="video"),
     "captions are WebVTT: clip.de.srt"),
    ("no_transcript",
     guide(*(part.replace("transcript: {en: a, de: b}", "transcript: {en: a}") for part in VIDEO), kind="video"),
     "the video has no transcript in de"),
    ("unknown_file",
     guide(*(part.replace("clip.de.vtt", "clap.de.vtt") for part in VIDEO), kind="video"),
     "there is no file clap.de.vtt; did you mean clip.de.vtt?"),
    ("invalid", guide(*swapped(TIP, "anchor", "anchor: {css: a, guide: b}")), "an anchor has one of"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("code", "text", "said"),
    [
        *JOURNEYS,
        *[(code, journey(GOAL, steps=steps), said) for code, steps, said in OF_STEPS],
        *PLAYS,
        *KITS,
        *GUIDES,
    ],
)
def test_every_rule_has_a_file_that_breaks_it_alone(code: str, text: str, said: str) -> None:
    found = findings(text)
    assert [each[0] for each in found] == [code], found
    assert found[0][1].startswith("1.yaml:")
    assert said in found[0][1]


def test_steps_nobody_can_come_to() -> None:
    behind = journey(GOAL, steps=(
        "steps:\n"
        f"  - {{id: a, action: share, title: {TEXT}, why: {TEXT}, after: [b]}}\n"
        f"  - {{id: b, action: view, title: {TEXT}, why: {TEXT}, after: [a]}}\n"
        f"  - {{id: c, action: mend, title: {TEXT}, why: {TEXT}, after: [b]}}\n"
    ))  # fmt: skip
    codes = [each[0] for each in findings(behind)]
    assert codes == ["cycle", "cycle", "unreachable_step"]


@pytest.mark.parametrize(
    ("audience", "when", "name"),
    [
        ("{profile.role: admin}", "{profile.role: end_user}", "profile.role"),
        (
            "{all: [{profile.role: admin}]}",
            "{all: [{profile.role: {in: [end_user]}}]}",
            "profile.role",
        ),
        ('{feature.days: "<7"}', '{feature.days: ">=7"}', "feature.days"),
        ("{state.mfa: true}", "{any: [{state.mfa: false}]}", "state.mfa"),
    ],
)
def test_branches_outside_the_audience(audience: str, when: str, name: str) -> None:
    ((code, told),) = findings(journey(GOAL, f"audience: {audience}", steps=step(f"when: {when}")))
    assert code == "unreachable_step"
    assert told.startswith("1.yaml:11:")
    assert f"nobody can come here: {name}" in told


@pytest.mark.parametrize(
    ("audience", "when"),
    [
        ("{profile.role: admin}", "{not: {profile.role: end_user}}"),
        ("{profile.role: admin}", "{any: [{profile.role: end_user}, {state.mfa: true}]}"),
        ('{feature.days: "<=7"}', '{feature.days: ">=7"}'),
        ("{profile.role: {in: [admin, end_user]}}", "{profile.role: end_user}"),
    ],
)
def test_branches_that_somebody_can_come_to(audience: str, when: str) -> None:
    assert findings(journey(GOAL, f"audience: {audience}", steps=step(f"when: {when}"))) == []


def test_an_edit_needs_a_new_number() -> None:
    before = source(journey(GOAL))
    assert findings(journey(GOAL), published=[before]) == []
    edited = journey(GOAL, "priority: 3")
    ((code, told),) = findings(edited, published=[before])
    assert code == "version_edited"
    assert told == ("1.yaml:2:1: version: version 1 was published with another text; make it 2")
    assert findings(journey(GOAL, "priority: 3", version=2), published=[before]) == []
    later = source(journey(GOAL, version=5))
    ((code, told),) = findings(journey(GOAL, version=4), published=[before, later])
    assert (code, "make it 6" in told) == ("version_fallen", True)


def test_a_migration_says_what_becomes_of_every_step() -> None:
    before = source(journey(GOAL))
    steps = f"steps:\n  - {{id: look, action: view, title: {TEXT}, why: {TEXT}}}\n"

    def found(migrate: str) -> list[tuple[str, str]]:
        text = journey(GOAL, f"migrate: {migrate}", version=2, steps=steps)
        return findings(text, published=[before])

    assert found("{from: 1, map: {view: look}, drop: [connect]}") == []
    ((code, told),) = found("{from: 1, map: {view: look}}")
    assert (code, "say what becomes of connect" in told) == ("lost_step", True)
    assert found("{from: 1, map: {view: lok}, drop: [connect]}")[0][0] == "unknown_step"
    codes = [code for code, _ in found("{from: 7, map: {view: look}, drop: [connect]}")]
    assert codes == ["migrates_backwards", "unknown_version"]


def test_two_of_a_group_have_two_priorities() -> None:
    one = journey(GOAL, "exclusive: first", "priority: 3", name="one")
    two = journey(GOAL, "exclusive: first", "priority: 3", name="two")
    ((code, told),) = findings(one, two)
    assert (code, "2.yaml:7:1: priority: one of the same group" in told) == ("tie", True)


def test_a_name_is_one_file() -> None:
    ((code, told),) = findings(journey(GOAL), journey(GOAL, version=2))
    assert (code, "first is defined in 1.yaml too" in told) == ("invalid", True)
    ((code, told),) = findings(journey(GOAL, name="push"), play(*PLAY))
    assert (code, "there is a journey push too" in told) == ("twice", True)


def test_what_is_no_definition() -> None:
    ((code, told),) = findings("jorney: x\n")
    assert (code, "begins with journey: NAME" in told) == ("invalid", True)
