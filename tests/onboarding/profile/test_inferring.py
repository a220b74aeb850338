"""Events to cues to facts: what is read, what is never read, and what each inference says."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from guardrails import literal
from guardrails.consent import NOTHING_SAID, Consents, Purpose, Tagged
from guardrails.consent.state import Newest
from onboarding.events import SHIPPED, load_catalogue
from onboarding.profile import (
    Known,
    Mind,
    check_sensitive,
    declared,
    domain_class,
    dump_weights,
    gather,
    infer,
    load_evidence,
    load_facts,
    load_models,
    row_of,
)
from onboarding.profile.errors import ModelFileError, SensitiveFieldError
from onboarding.profile.evidence import Said
from onboarding.profile.holding import DELETED, OFF, QUIET, YES
from onboarding.profile.inferring import LASTS, news
from onboarding.profile.lint import is_barred
from onboarding.rules import DataFileError
from onboarding.types import CONFIDENT, UNKNOWN, Event, EventKind, Fact, History, Snapshot, Source
from tests.onboarding.profile.making import ANA, CONSENTED, NOON, event

FACTS = load_facts()
SPEC = load_evidence(FACTS)
MIND = Mind(FACTS, SPEC, load_models(FACTS))
NOW = NOON + timedelta(days=1)
ADMIN = (
    event("signup_completed", 1, utm_source="search", plan="team", job_title="IT administrator"),
    event("invitation_accepted", 2, role="admin"),
    event("page", 3, name="team"),
    event("page", 4, name="security"),
    event("page", 5, name="audit_log"),
    event("permission_used", 6, scope="manage_sso"),
)


def known(*events: Event, facts: tuple[Fact, ...] = (), consents: Consents = CONSENTED) -> Known:
    return Known(ANA, History(recent=events), None, facts, consents)


def by_name(facts: list[Fact]) -> dict[str, Fact]:
    return {fact.name: fact for fact in facts}


def test_an_administrator_shows() -> None:
    role = by_name(infer(known(*ADMIN), MIND, NOW))["role"]
    assert (role.value, role.source) == ("admin", Source.INFERRED)
    assert role.confidence == role.odds["admin"] > 0.9
    assert sum(role.odds.values()) == pytest.approx(1)
    assert list(role.odds) == list(FACTS.facts["role"].values)
    assert (role.valid_from, role.expires) == (NOW, NOW + LASTS)
    assert 1 <= len(role.reasons) <= 3
    assert set(role.evidence) <= {each.message_id for each in ADMIN}
    assert "m6" in role.evidence or "m2" in role.evidence


def test_the_named_reasons_are_what_moves_the_odds() -> None:
    """Each of them taken away makes the value less likely, by more than any other does."""
    model = MIND.models["role"]
    cues = gather(known(*ADMIN), SPEC, NOW)
    full = model.odds(cues)["admin"]
    lost = {
        name: full - model.odds({n: c for n, c in cues.items() if n != name})["admin"]
        for name in cues
        if name in model.index
    }
    spoke = [each.cue for each in model.spoke(cues, "admin")]
    assert all(lost[name] > 0 for name in spoke)
    assert min(lost[name] for name in spoke) >= max(
        loss for name, loss in lost.items() if name not in spoke
    )


def test_little_is_unknown_and_keeps_its_odds() -> None:
    one = infer(known(event("page", 1, name="dashboards")), MIND, NOW)
    role = by_name(one)["role"]
    assert role.value == UNKNOWN
    bound = max(CONFIDENT, MIND.models["role"].of.abstain_below)
    assert role.confidence == max(role.odds.values()) < bound


class Goals:
    """Knows one word."""

    def odds(self, text: str) -> dict[str, float]:
        sure = 0.94 if "alert" in text else 0.25
        rest = (1 - sure) / 3
        return {v: sure if v == "monitoring" else rest for v in FACTS.facts["intent"].values}


def test_what_somebody_wrote_speaks_too() -> None:
    mind = replace(MIND, texts={"intent": Goals()})
    events = (event("page", 1, name="dashboards"), event("goal_answered", 2, goal="monitoring"))
    alone = by_name(infer(known(*events), mind, NOW))["intent"]
    said = {"intent": Said(literal("Send me an alert"), "m9")}
    more = by_name(infer(replace(known(*events), said=said), mind, NOW))["intent"]
    assert more.odds["monitoring"] > alone.odds["monitoring"]
    assert sum(more.odds.values()) == pytest.approx(1)
    assert (more.reasons[0], more.evidence[0]) == ("said", "m9")
    assert len(more.reasons) <= 3
    only = by_name(infer(replace(known(), said=said), mind, NOW))
    assert set(only) == {"intent"}
    mute = {"intent": Said(literal("Hello"), "m9")}
    same = by_name(infer(replace(known(*events), said=mute), mind, NOW))["intent"]
    assert same.odds == pytest.approx(alone.odds)  # even odds say nothing
    assert "said" not in same.reasons


def test_nothing_seen_is_no_inference() -> None:
    assert infer(known(), MIND, NOW) == []
    assert infer(known(event("never_heard_of", 1, page="team")), MIND, NOW) == []


@pytest.mark.parametrize(
    "consents", [NOTHING_SAID, Consents({(Purpose.TRAINING, None): Newest(1, True)})]
)
def test_without_consent_nothing_is_inferred(consents: Consents) -> None:
    assert infer(known(*ADMIN, consents=consents), MIND, NOW) == []


def test_a_field_of_another_purpose_is_not_read() -> None:
    hidden = {"role": Tagged("admin", frozenset({Purpose.SUPPORT}))}
    invited = replace(ADMIN[1], fields=hidden)
    assert gather(known(invited), SPEC, NOW) == {}
    withdrawn = Consents({**CONSENTED.said, (Purpose.PRODUCT_ANALYTICS, "role"): Newest(2, False)})
    assert gather(known(ADMIN[1], consents=withdrawn), SPEC, NOW) == {}


def test_what_was_received_later_is_not_known_yet() -> None:
    late = replace(ADMIN[1], received_at=NOW + timedelta(seconds=1))
    assert gather(known(late), SPEC, NOW) == {}


def test_copies_and_order_change_nothing() -> None:
    mixed = (*reversed(ADMIN), ADMIN[2], ADMIN[2])
    assert gather(known(*mixed), SPEC, NOW) == gather(known(*ADMIN), SPEC, NOW)


def test_traits_that_are_told_again_say_nothing_more() -> None:
    told = [
        replace(event("invitation_accepted", number, role=role), kind=EventKind.IDENTIFY)
        for number, role in enumerate(("viewer", "admin", "admin", "admin"))
    ]
    once, often = gather(known(told[-1]), SPEC, NOW), gather(known(*told), SPEC, NOW)
    assert set(once) == {"invited_as=admin"}
    assert often.keys() == once.keys()
    assert often["invited_as=admin"].value == once["invited_as=admin"].value


def test_a_colleague_says_nothing_of_me_but_for_the_account() -> None:
    theirs = [replace(each, user="bo") for each in ADMIN]
    team = event("members_counted", 8, "bo", members=40)
    assert set(gather(known(*theirs, team), SPEC, NOW)) == {"members=3"}


def test_only_the_first_pages_count() -> None:
    pages = [event("page", number, name="dashboards") for number in range(12)]
    assert "page=billing" not in gather(known(*pages, event("page", 99, name="billing")), SPEC, NOW)


def test_features_are_read_and_bounded() -> None:
    snapshot = Snapshot(NOON, {"hesitation": 9.0, "error_rate_28": float("nan")}, "x")
    cues = gather(Known(ANA, snapshot=snapshot, consents=CONSENTED), SPEC, NOW)
    assert {name: cue.value for name, cue in cues.items()} == {"pace": 2.0}


def test_faster_and_cleaner_is_never_less_proficient() -> None:
    model = MIND.models["proficiency"]
    levels = []
    for pace in (2.0, 1.0, 0.0, -1.0, -2.0):
        snapshot = Snapshot(NOON, {"hesitation": pace, "error_rate_28": 0.1}, "x")
        odds = model.odds(gather(Known(ANA, snapshot=snapshot, consents=CONSENTED), SPEC, NOW))
        levels.append(odds["advanced"] - odds["novice"])
    assert levels == sorted(levels)
    assert levels[0] < levels[-1]


@pytest.mark.parametrize("name", [OFF, QUIET + "role"])
def test_a_wish_is_heard(name: str) -> None:
    facts = (declared(ANA, name, YES, NOON),)
    assert "role" not in by_name(infer(known(*ADMIN, facts=facts), MIND, NOW))


def test_what_was_deleted_comes_back_on_newer_events_alone() -> None:
    gone = declared(ANA, DELETED + "role", YES, NOON + timedelta(minutes=5))
    (role,) = [f for f in infer(known(*ADMIN, facts=(gone,)), MIND, NOW) if f.name == "role"]
    assert role.evidence == ("m6",)
    later = replace(gone, valid_from=NOON + timedelta(hours=1))
    found = by_name(infer(known(*ADMIN, facts=(later,)), MIND, NOW))
    assert "role" not in found
    assert found != {}  # others are not touched


def test_a_row_of_a_refit_needs_a_declaration_and_consent_to_training() -> None:
    said = declared(ANA, "role", "admin", NOON)
    both = Consents({**CONSENTED.said, (Purpose.TRAINING, None): Newest(3, True)})
    row = row_of(known(*ADMIN, facts=(said,), consents=both), SPEC, "role", NOW)
    assert row is not None
    assert (row.value, row.group) == ("admin", "acme")
    assert row.cues == gather(known(*ADMIN), SPEC, NOW)
    assert row_of(known(*ADMIN, facts=(said,)), SPEC, "role", NOW) is None
    assert row_of(known(*ADMIN, consents=both), SPEC, "role", NOW) is None
    guess = replace(said, source=Source.INFERRED)
    assert row_of(known(*ADMIN, facts=(guess,), consents=both), SPEC, "role", NOW) is None


def test_what_says_nothing_new_is_not_kept_again() -> None:
    first = infer(known(*ADMIN), MIND, NOW)
    before = by_name(first)
    assert news(first, {}, NOW) == first
    assert news(infer(known(*ADMIN), MIND, NOW + timedelta(days=1)), before, NOW) == []
    late = NOW + timedelta(days=24)
    assert len(news(infer(known(*ADMIN), MIND, late), before, late)) == len(first)
    moved = replace(before["role"], confidence=before["role"].confidence - 0.06)
    assert [f.name for f in news([moved], before, NOW)] == ["role"]


@pytest.mark.parametrize(
    ("domain", "is_"),
    [
        ("gmail.com", "free"),
        ("GMail.com.", "free"),
        ("web.de", "free"),
        ("qq.com", "free"),
        ("acme.io", "corporate"),
        ("mail.acme.co.uk", "corporate"),
        ("notgmail.com", "corporate"),
        ("stanford.edu", "education"),
        ("cs.ox.ac.uk", "education"),
        ("uni-bonn.de", "education"),
        ("unilever.com", "corporate"),
        ("ana.lopez@student.tue.nl", "education"),
        ("", "corporate"),
    ],
)
def test_the_class_of_a_domain(domain: str, is_: str) -> None:
    assert domain_class(domain) == is_


FIELDS = """version: 1
cues:
  - {cue: page, event: signup_completed, field: FIELD, values: [team]}
"""


@pytest.mark.parametrize(
    "field",
    ["gender", "age", "userAge", "date_of_birth", "first_name", "photo_url", "disability",
     "religion", "mood", "context.locale", "region", "ip", "email", "home_city", "healthStatus"],
)  # fmt: skip
def test_a_barred_field_is_refused(tmp_path: Path, field: str) -> None:
    (tmp_path / "e.yaml").write_text(FIELDS.replace("FIELD", field))
    with pytest.raises(SensitiveFieldError, match=field):
        check_sensitive(load_evidence(FACTS, tmp_path / "e.yaml"))


@pytest.mark.parametrize(
    "field", ["package", "usage", "plan", "job_title", "storage_page", "email_domain"]
)
def test_an_innocent_field_is_not(field: str) -> None:
    assert not is_barred(field)


def test_the_shipped_cues_and_those_of_harbor_pass_the_lint() -> None:
    harbor = Path(__file__).parents[3] / "examples" / "harbor" / "onboarding"
    check_sensitive(SPEC)
    spec = load_evidence(FACTS, harbor / "profile" / "evidence.yaml")
    events = load_catalogue(SHIPPED, harbor / "events")
    check_sensitive(spec, events)
    for rule in spec.cues:
        if rule.event is not None:
            assert rule.event in events, rule.event
        if rule.field is not None:
            assert events.field(rule.event or "", rule.field) is not None, rule


def test_a_tagged_field_is_refused(tmp_path: Path) -> None:
    contract = (
        "event: signup_completed\nversion: 1-0-0\nproperties:\n"
        "  floor: {type: string, purpose: [product_analytics], sensitive: true}\n"
        "  plan: {type: string, purpose: [product_analytics]}\n"
    )
    (tmp_path / "events").mkdir()
    (tmp_path / "events" / "signup.yaml").write_text(contract)
    events = load_catalogue(tmp_path / "events")
    for field, refused in (("floor", True), ("plan", False)):
        (tmp_path / "e.yaml").write_text(FIELDS.replace("FIELD", field))
        spec = load_evidence(FACTS, tmp_path / "e.yaml")
        if refused:
            with pytest.raises(SensitiveFieldError, match="floor of signup_completed is tagged"):
                check_sensitive(spec, events)
        else:
            check_sensitive(spec, events)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("{cue: pages, event: a, field: b, values: [c]}", r":3:6: .*did you mean page\?"),
        ("{cue: page, event: a, field: b}", "one of values, words"),
        ("{cue: page, event: a, values: [c]}", "name the field"),
        ("{cue: page, evnt: a, field: b, values: [c]}", "there is no such key here"),
        ("{cue: page, feature: x, event: y}", "from an event or from a feature"),
    ],
)
def test_a_bad_cue_is_named_with_its_place(tmp_path: Path, line: str, says: str) -> None:
    path = tmp_path / "e.yaml"
    path.write_text(f"version: 1\ncues:\n  - {line}\n")
    with pytest.raises(DataFileError, match=says) as failure:
        load_evidence(FACTS, path)
    assert str(path) in str(failure.value)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"fact": "mood"}, "no fact mood"),
        ({"values": ("a", "b", "c", "d")}, "fit it again"),
        ({"features": ("locale=de",), "weights": ((0.1,),) * 4}, "may not be inferred from locale"),
        ({"bias": (0.0,)}, "wrong shape"),
    ],
)
def test_weights_that_do_not_fit_are_refused(
    tmp_path: Path, change: dict[str, object], says: str
) -> None:
    weights = MIND.models["role"].of.model_copy(update=change)
    (tmp_path / "role.json").write_bytes(dump_weights(weights))
    with pytest.raises(ModelFileError, match=says):
        load_models(FACTS, tmp_path)
    (tmp_path / "role.json").write_bytes(b"{}")
    with pytest.raises(ModelFileError, match="no weights"):
        load_models(FACTS, tmp_path)
