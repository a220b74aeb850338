"""Flow files: what they become, and where a mistake in one is reported."""

from __future__ import annotations

from pathlib import Path

import jsonschema
import pytest

from tools.flows import FlowFileError, read_flow, read_flows
from tools.flows.definition import DAY_S
from tools.types import EffectClass, Tier

GOOD = """\
flow: greet
version: 2
title: Greet
summary: Says hello.
target: shop
tier: 2
rights: [greeting]
arguments:
  name:
    schema: {type: string}
    label: Name
    required: true
  language:
    schema: {type: string, enum: [en, de]}
    label: Language
  dialect:
    schema: {type: string}
    label: Dialect
    needed_when: {language: [de]}
steps:
  - id: first
    title: Say it
    do: say
    with: {to: {$arg: name}}
    on_error:
      - {codes: [E1], then: retry, offer: say}
  - id: second
    title: Note it
    do: note
    with: {about: {$result: first, at: /id}}
reminders:
  look: {do: read}
  after_s: {low: [60, 120]}
  items:
    - id: farewell
      title: Say goodbye
      why: It is polite.
      open: {$result: seen, at: /left, in: [false]}
      risk: low
    - id: thanks
      title: Say thanks
      why: They may not come back.
      open: {$result: seen, at: /thanked, present: false}
      risk: high
"""


def _file(folder: Path, text: str, name: str = "greet.yaml") -> Path:
    file = folder / name
    file.write_text(text, "utf-8")
    return file


def _problems(folder: Path, text: str) -> tuple[str, ...]:
    file = _file(folder, text)
    with pytest.raises(FlowFileError) as caught:
        read_flow(file)
    return tuple(problem.removeprefix(f"{file}:") for problem in caught.value.problems)


def test_a_flow_is_a_tool(tmp_path: Path) -> None:
    manifest = read_flow(_file(tmp_path, GOOD)).manifest()

    assert (manifest.name, manifest.tier, manifest.effect) == (
        "greet",
        Tier.R2,
        EffectClass.READ_BACK,
    )
    assert manifest.version.startswith("2-")
    assert manifest.rights == {"greeting"}
    assert manifest.remedies == {"E1": "say"}
    assert list(manifest.arguments) == ["name", "language", "dialect"]


@pytest.mark.parametrize(
    ("arguments", "missing"),
    [
        ({"name": "Ana"}, []),
        ({}, ["name"]),
        ({"name": "Ana", "language": "en"}, []),
        ({"name": "Ana", "language": "de"}, ["dialect"]),
    ],
)
def test_what_is_needed_depends_on_what_was_given(
    tmp_path: Path, arguments: dict[str, str], missing: list[str]
) -> None:
    schema = dict(read_flow(_file(tmp_path, GOOD)).manifest().schema)
    validator = jsonschema.Draft202012Validator(schema)

    said = " ".join(error.message for error in validator.iter_errors(arguments))
    assert [name for name in ("name", "dialect") if f"'{name}' is a required" in said] == missing


def test_what_is_said_again_is_the_riskiest_first(tmp_path: Path) -> None:
    thanks, farewell = read_flow(_file(tmp_path, GOOD)).open_items()

    assert (thanks.id, thanks.after_s) == ("thanks", (DAY_S, 3 * DAY_S, 7 * DAY_S))
    assert (farewell.id, farewell.after_s) == ("farewell", (60.0, 120.0))


def test_any_change_of_content_changes_the_version(tmp_path: Path) -> None:
    before = read_flow(_file(tmp_path, GOOD)).manifest().version
    after = read_flow(_file(tmp_path, GOOD.replace("Say it", "Say so"))).manifest().version

    assert before != after


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("version: 2", "version: two", "2: version: "),
        ("do: say", "do: Say It", "23: steps.0.do: "),
        ("$arg: name", "$arg: nome", "21: steps.0: there is no argument nome"),
        (
            "$result: first",
            "$result: third",
            "27: steps.1: no step before this one is called third",
        ),
        ("id: second", "id: first", "27: steps.1.id: first is there twice"),
        ("language: [de]", "tongue: [de]", "there is no argument tongue"),
        ("title: Greet", "titel: Greet", "titel: Extra inputs are not permitted"),
        ("title: Greet", "title: [", "5: expected ',' or ']'"),
        (
            "    title: Say it",
            "    title: Say it\n    when: {$arg: name}",
            "steps.0: {'$arg': 'name'} is no",
        ),
        ("[60, 120]", "[120, 60]", "33: reminders.after_s.low: times rise"),
        ("[60, 120]", "[0]", "33: reminders.after_s.low.0: Input should be greater than 0"),
        ("$result: seen, at: /left", "$result: first", "35: reminders.items.0: no step"),
        ("risk: low", "risk: grave", "39: reminders.items.0.risk: "),
    ],
)
def test_a_mistake_is_reported_with_its_line(
    tmp_path: Path, old: str, new: str, problem: str
) -> None:
    found = _problems(tmp_path, GOOD.replace(old, new, 1))

    assert any(problem in line for line in found), found


def test_a_folder_reports_the_mistakes_of_all_files(tmp_path: Path) -> None:
    _file(tmp_path, GOOD.replace("version: 2", "version: 0"), "a.yaml")
    _file(tmp_path, GOOD.replace("tier: 2", "tier: 9"), "b.yaml")

    with pytest.raises(FlowFileError) as caught:
        read_flows(tmp_path)
    assert {Path(p.split(":")[0]).name for p in caught.value.problems} == {"a.yaml", "b.yaml"}


def test_two_flows_of_one_name_are_refused(tmp_path: Path) -> None:
    _file(tmp_path, GOOD, "a.yaml")
    _file(tmp_path, GOOD, "b.yaml")

    with pytest.raises(FlowFileError, match="two flows are called greet"):
        read_flows(tmp_path)
