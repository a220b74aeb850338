"""Harbor's files are without findings, and its people go from sign-up to first value."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from jsonschema.validators import validator_for
from pydantic import JsonValue

from onboarding.journeys import (
    SCHEMAS,
    EditError,
    Edits,
    Enrolment,
    GuideMark,
    Guides,
    GuideState,
    Kit,
    Reader,
    arguments,
    compose,
    open_plays,
    said,
    schema,
    track,
)
from onboarding.journeys.lint import lint
from onboarding.rules import read_data
from onboarding.types import Mode, Person, StepState
from tests.onboarding.journeys.harbor import FOLDER, HARBOR, harbor, harbor_known, harbor_states
from tests.onboarding.journeys.persons import START, happened, view_at
from tests.onboarding.rules.worlds import TENANT, event, fact, world
from tools.flows import read_flow

HOUR = timedelta(hours=1)
FLOW = read_flow(HARBOR / "flows" / "apply_starter_kit.yaml")
KITS = sorted(harbor().kits)


def test_no_file_of_harbor_has_a_finding() -> None:
    assert [each.told for each in lint(harbor(), harbor_known())] == []
    assert len(harbor().defined) >= 25


@pytest.mark.parametrize("kind", SCHEMAS)
def test_the_json_schemas_are_sound_and_take_harbors_files(kind: str) -> None:
    document = schema(kind)
    assert validator_for(document) is Draft202012Validator
    Draft202012Validator.check_schema(document)
    folder = FOLDER if kind == "states" else FOLDER / f"{kind}s"
    files = [FOLDER / "states.yaml"] if kind == "states" else sorted(folder.glob("*.yaml"))
    assert files
    checker = Draft202012Validator(document)
    for path in files:
        assert [e.message for e in checker.iter_errors(read_data(path).plain)] == [], path.name
    wrong = {**read_data(files[0]).plain, "verzion": 1}
    assert list(checker.iter_errors(wrong))


ROADS = {
    "admin": (
        ("Signed Up", "Connection Created", "Import Finished", "Dashboard Created",
         "Member Invited", "Member Joined", "MFA Enabled", "SSO Configured"),
        "Dashboard Created",
    ),
    "end_user": (
        ("Signed In", "Import Finished", "Dashboard Created", "Dashboard Shared", "Alert Created"),
        "Dashboard Shared",
    ),
    "executive": (
        ("Signed In", "Import Finished", "Dashboard Created", "Digest Scheduled", "Alert Created"),
        "Digest Scheduled",
    ),
}  # fmt: skip


@pytest.mark.parametrize("role", ROADS)
def test_a_new_person_reaches_first_value_and_finishes(role: str) -> None:
    names, value = ROADS[role]
    events = happened(names)
    composed = compose(harbor(), view_at(events, START, role))
    assert composed is not None
    journey = composed.journey
    enrolment = Enrolment(Person(TENANT, "ana", "acme"), journey.name, journey.version, START)
    shares: list[float] = []
    reached: list[str] = []
    for number, name in enumerate(names):
        view = view_at(events, START + number * HOUR, role)
        tracked = track(composed, enrolment, view, ())
        shares.append(tracked.progress.share)
        if tracked.progress.reached_at is not None:
            reached.append(name)
    last = view_at([*events, event("Kit Applied")], START + 400 * HOUR, role)
    assert reached[0] == value
    assert shares == sorted(shares)
    whole = track(composed, enrolment, last, (), Mode.SIMPLE)
    assert whole.finished, [(s.id, s.state) for s in whole.progress.steps]
    assert all(s.evidence for s in whole.progress.steps if s.state is StepState.DONE)


@pytest.mark.parametrize("name", KITS)
def test_the_flow_takes_every_kit(name: str) -> None:
    kit = harbor().kits[name]
    given = arguments(kit)
    checker = Draft202012Validator(FLOW.manifest().schema)
    assert [error.message for error in checker.iter_errors(given)] == []
    assert given["kit"] == kit.ref
    assert not _edits_left(given)


def _edits_left(value: object) -> bool:
    if isinstance(value, dict):
        return "edit" in value or any(map(_edits_left, value.values()))
    return isinstance(value, list) and any(map(_edits_left, value))


def _kit(name: str = "fintech-admin") -> Kit:
    return harbor().kits[name]


def test_defaults_can_be_edited_before_a_kit_is_applied() -> None:
    values: dict[str, JsonValue] = {
        "users": 7,
        "recipients": ["ana@acme.example"],
        "weekday": "fri",
    }
    given: Any = arguments(_kit(), Edits(values, {"fall": "Fewer"}, {"operations"}))
    assert [(each["name"], each["threshold"]) for each in given["alerts"]] == [
        ("Fewer", -30), ("Weekly active customers", 7),
    ]  # fmt: skip
    (dashboard,) = given["dashboards"]
    assert (dashboard["name"], dashboard["mail"]) == (
        "Onboarding and KYC",
        {"frequency": "weekly", "weekday": "fri", "at": "08:00",
         "recipients": ["ana@acme.example"]},
    )  # fmt: skip


def test_a_mail_goes_where_its_dashboard_goes() -> None:
    given: Any = arguments(_kit(), Edits(leave_out={"overview"}))
    assert [(each["name"], "mail" in each) for each in given["dashboards"]] == [
        ("Transactions", False)
    ]


@pytest.mark.parametrize(
    ("edits", "said_"),
    [
        (Edits({"users": 0}), {"users": "is below 1"}),
        (Edits({"users": "many"}), {"users": "is no whole number"}),
        (Edits({"users": True}), {"users": "is no whole number"}),
        (Edits({"fall": 5}), {"fall": "is above -1"}),
        (Edits({"weekday": "sun"}), {"weekday": "is none of mon, tue, wed, thu, fri"}),
        (Edits({"recipients": ["ana"]}), {"recipients": "is no list of e-mail addresses"}),
        (Edits({"colour": 1}), {"colour": "is no value of this kit"}),
        (Edits(names={"overview": " "}), {"overview": "needs a name"}),
        (Edits(names={"weekly": "Mail"}), {"weekly": "is nothing of this kit that has a name"}),
        (Edits(leave_out={"mine"}), {"mine": "is nothing of this kit"}),
    ],
)
def test_what_a_kit_cannot_take_is_said_by_key(edits: Edits, said_: dict[str, str]) -> None:
    with pytest.raises(EditError) as wrong:
        arguments(_kit(), edits)
    assert wrong.value.wrong == said_


def test_states_come_from_what_the_product_answers() -> None:
    answers = {
        "get_security": {"done": {"sso": True, "mfa": "yes"}},
        "list_members": {"items": [{"id": "m1"}, {"id": "m2"}]},
        "get_me": {"mfa": False, "role": "owner"},
    }
    found = harbor_states().values(answers)  # type: ignore[arg-type]
    assert found == {"sso": True, "members": 2, "own_mfa": False, "member_role": "owner"}
    assert harbor_states().readings >= {"get_security", "get_billing", "get_me"}


PLAY_WORLDS: dict[str, tuple[list[str], dict[str, JsonValue]]] = {
    "activation-coaching": (["Signed In", "Connection Created"], {}),
    "team-activation": (
        ["Signed In", "Import Finished", "Dashboard Created"],
        {"members": 1, "member_role": "owner"},
    ),
    "security-urgent": ([], {"members": 5, "member_role": "admin", "own_mfa": False}),
    "security-later": ([], {"plan": "growth", "member_role": "owner", "domain": False}),
    "cross-sell-sources": (["Import Finished"], {"connections": 1, "member_role": "admin"}),
}  # fmt: skip


@pytest.mark.parametrize("name", PLAY_WORLDS)
def test_each_play_is_for_somebody_and_not_for_everybody(name: str) -> None:
    names, states = PLAY_WORLDS[name]
    view = world([event(each) for each in names], states=states)
    assert name in {play.name for play in open_plays(harbor(), view, reached=True)}
    assert open_plays(harbor(), world(), reached=True) == ()
    unreached = {play.name for play in open_plays(harbor(), view, reached=False)}
    assert (name in unreached) is not (name == "cross-sell-sources")


def test_who_stays_away_is_asked_back() -> None:
    away = [event("Import Finished", 40 * 24 * HOUR), event("Signed In", 11 * 24 * HOUR)]
    assert [p.name for p in open_plays(harbor(), world(away), reached=True)] == ["churn-reduction"]
    here = [*away, event("Signed In", 9 * 24 * HOUR, message_id="again")]
    assert "churn-reduction" not in {
        p.name for p in open_plays(harbor(), world(here), reached=True)
    }


@pytest.mark.parametrize(
    ("skill", "locale", "guide", "start"),
    [
        ("novice", "en", "connect-source", "Harbor shows what your own product does."),
        ("intermediate", "de-AT", "connect-source", "Verbinden Sie eine Datenbank"),
        ("advanced", "fr", "connect-source", "Sources, schedules"),
        ("unknown", "en", "connect-source", "Connect a database"),
    ],
)
def test_a_guide_has_a_depth_for_each_skill(
    skill: str, locale: str, guide: str, start: str
) -> None:
    shown = Guides(harbor().guides.values()).for_view(world(), skill, locale)
    assert shown is not None
    assert shown.guide == f"{guide}@1"
    assert shown.text.startswith(start)


def test_a_walkthrough_and_a_clip_are_shown_when_they_help() -> None:
    guides = Guides(harbor().guides.values())
    view = world([event("Connection Created"), event("Import Finished")])
    walk = guides.for_view(view, "novice", "de")
    assert walk is not None
    assert [len(walk.stops), walk.title] == [3, "Ihr erstes Dashboard in drei Schritten"]
    assert walk.stops[0].selector == '#nav a[href="/app/dashboards"]'
    over = GuideMark("first-dashboard", 1, GuideState.DONE, START, START)
    kept = {"first-dashboard": over}
    known = world([*view.own.recent, event("Dashboard Created")], [fact("industry", "saas")])
    clip = next(guides.of(known, Reader("novice", "en", marks=kept)), None)
    assert clip is not None
    assert clip.video is not None
    assert (FOLDER / "guides" / clip.video.file).stat().st_size > 1000
    captions = (FOLDER / "guides" / clip.video.captions).read_text("utf-8")
    assert captions.startswith("WEBVTT")
    for sentence in clip.video.transcript.split(". "):
        assert sentence.rstrip(".") in captions
    assert list(guides.of(known, Reader("advanced", "en", marks=kept))) == []


def test_texts_fall_back_to_the_language_then_to_english() -> None:
    texts = {"en": "a", "de": "b"}
    assert [said(texts, locale) for locale in ("de-CH", "en-GB", "it", "")] == ["b", "a", "a", "a"]
    assert said({}, "en") == ""
