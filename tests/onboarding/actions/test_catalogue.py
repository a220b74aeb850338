"""The catalogue of actions: what its file may say, and who is suggested what by rule."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrails.consent import Purpose
from onboarding.actions import (
    MOST,
    Action,
    Catalogue,
    Runs,
    Standing,
    Texts,
    candidates,
    load_catalogue,
    load_texts,
    short_list,
)
from onboarding.rules import DataFileError, Moment, Vocabulary
from onboarding.types import (
    Fact,
    History,
    Profile,
    Progress,
    Seen,
    Source,
    StepProgress,
    StepState,
)

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
HARBOR = Path(__file__).parents[3] / "examples" / "harbor" / "onboarding" / "actions"
TEXT = "locale: {0}\nactions:\n  a: {{title: A, reason: Because of a.}}\n  b: {{title: B, reason: Because of b.}}\n"  # noqa: E501


def harbor() -> Catalogue:
    return load_catalogue(HARBOR / "catalogue.yaml", load_texts(HARBOR / "texts"))


def view(role: str = "unknown", *happened: str) -> Moment:
    fact = Fact("t", "ana", "role", role, 1.0, Source.DECLARED, NOW)
    seen = {name: Seen(1, NOW, NOW) for name in happened}
    return Moment(NOW, own=History(seen=seen), profile=Profile(facts={"role": fact}))


def names(standing: Standing, catalogue: Catalogue | None = None) -> list[str]:
    return [each.action for each in candidates(catalogue or harbor(), standing)]


def test_every_action_of_harbor_has_its_texts_in_both_languages() -> None:
    catalogue = harbor()
    for action in catalogue.actions:
        english, german = (catalogue.texts.of(action.id, each) for each in ("en", "de-AT"))
        assert english.title != german.title


def test_what_has_a_prerequisite_waits_for_it() -> None:
    assert "day_one_dashboard" not in names(Standing(view()))
    assert "day_one_dashboard" in names(Standing(view("unknown", "Import Finished")))


def test_what_is_done_is_not_suggested_again() -> None:
    assert "connect_data" not in names(Standing(view("admin", "Import Finished")))


def test_the_role_puts_its_own_first() -> None:
    assert names(Standing(view("end_user")))[0] == "apply_kit"
    assert names(Standing(view("admin")))[0] == "connect_data"
    assert "create_api_key" not in names(Standing(view("admin")))
    assert names(Standing(view("developer")))[0] == "create_api_key"


def test_steps_of_the_journey_come_first_in_its_order() -> None:
    steps = (
        StepProgress("s1", "enable_mfa", StepState.OPEN, 2),
        StepProgress("s2", "invite_team", StepState.OPEN, 1),
        StepProgress("s3", "apply_kit", StepState.BLOCKED, 1),
    )
    standing = Standing(view("end_user"), Progress("j", 1, steps, NOW))
    found = candidates(harbor(), standing)
    assert [(each.action, each.step) for each in found[:2]] == [
        ("enable_mfa", "s1"),
        ("invite_team", "s2"),
    ]
    assert "apply_kit" not in [each.action for each in found]


def test_rights_mutes_and_consent_take_candidates_away() -> None:
    everything = Standing(view("admin"))
    assert "connect_data" not in names(replace(everything, rights=frozenset({"members.invite"})))
    assert "invite_team" not in names(replace(everything, muted={"invite_team"}))
    assert names(replace(everything, purposes=frozenset({Purpose.SUPPORT}))) == []


def test_blocks_hold_both_ways() -> None:
    blocks = harbor().blocks
    assert "connect_data" in blocks["fix_import"]
    assert "fix_import" in blocks["connect_data"]


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 60), st.sets(st.integers(0, 59)))
def test_at_most_thirty_in_one_order_from_zero(count: int, muted: set[int]) -> None:
    made = tuple(Action(id=f"a{n}", kind="k", effort=1, runs=Runs(page="/p")) for n in range(count))
    catalogue = Catalogue("c", 1, made, Texts())
    found = candidates(catalogue, Standing(view(), muted={f"a{n}" for n in muted}))
    assert len(found) == min(MOST, len(set(range(count)) - muted))
    assert [each.order for each in found] == list(range(len(found)))
    assert short_list(tuple(reversed(found))) == found[:6]


BAD = {
    "unknown prerequisite": ("after: [bb]", "there is no other action bb; did you mean b?"),
    "itself": ("after: [a]", "there is no other action a"),
    "circle": ("after: [b]", "comes after itself"),
    "effort": ("effort: 9", "less than or equal to 5"),
    "two targets": ("runs: {tool: t, page: /p}", "write one of tool, flow and page"),
    "rule": ("when: {evnt: x}", "there is no clause evnt; did you mean event?"),
    "unknown event": ("when: {event: Import Finishd}", "did you mean Import Finished?"),
    "extra key": ("colour: red", "there is no such key here"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_mistake_is_told_with_its_line_and_how_to_mend_it(tmp_path: Path, case: str) -> None:
    entry, told = BAD[case]
    keys = {"effort": "1", "runs": "{page: /p}"}
    name, value = entry.split(": ", 1)
    body = "".join(f"    {k}: {v}\n" for k, v in (keys | {name: value}).items())
    text = (
        f"catalogue: c\nversion: 1\nactions:\n  - id: a\n    kind: k\n{body}"
        "  - {id: b, kind: k, effort: 1, runs: {page: /q}, after: [a]}\n"
    )
    (tmp_path / "catalogue.yaml").write_text(text)
    for locale in ("en", "de"):
        (tmp_path / "texts").mkdir(exist_ok=True)
        (tmp_path / "texts" / f"{locale}.yaml").write_text(TEXT.format(locale))
    known = Vocabulary(events={"Import Finished": {}})
    with pytest.raises(DataFileError) as raised:
        load_catalogue(tmp_path / "catalogue.yaml", load_texts(tmp_path / "texts"), known)
    assert told in str(raised.value)
    line = int(raised.value.problems[0].split(":")[1])
    assert 4 <= line <= 10


def test_a_missing_translation_is_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "en.yaml").write_text(TEXT.format("en"))
    (tmp_path / "de.yaml").write_text("locale: de\nactions:\n  a: {title: A, reason: Wegen a.}\n")
    file = tmp_path / "c" / "catalogue.yaml"
    file.parent.mkdir()
    actions = "".join(
        f"  - {{id: {n}, kind: k, effort: 1, runs: {{page: /p}}}}\n" for n in ("a", "b")
    )
    file.write_text(f"catalogue: c\nversion: 1\nactions:\n{actions}")
    with pytest.raises(DataFileError, match="b has no text in de"):
        load_catalogue(file, load_texts(tmp_path))


def test_texts_without_english_are_refused(tmp_path: Path) -> None:
    (tmp_path / "de.yaml").write_text(TEXT.format("de"))
    with pytest.raises(DataFileError, match=r"has no en\.yaml"):
        load_texts(tmp_path)
