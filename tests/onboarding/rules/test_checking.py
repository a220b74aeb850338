"""Mistakes in rules, with line and column and what was meant."""

from __future__ import annotations

from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from pydantic import BaseModel, ConfigDict, TypeAdapter

from onboarding.rules import DataFileError, Duration, Rule, check_rule, data_of, read_data, written
from tests.onboarding.rules.worlds import KNOWN


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")
    when: Rule
    every: Duration | None = None


def problems(text: str) -> list[str]:
    """Of a file `r.yaml` with this text."""
    try:
        file = data_of(text, "r.yaml")
        parsed = file.parse(_File)
    except DataFileError as wrong:
        return list(wrong.problems)
    return [file.told(each) for each in check_rule(parsed.when, KNOWN, ("when",))]


GOOD = """\
when:
  all:
    - {event: Connection Created, within: 14d, where: {connector: stripe, rows: 3}, at_least: 2}
    - any:
        - {feature.days_since_signup: "<14"}
        - {profile.role: {in: [admin, unknown], confidence: ">=0.7"}}
        - {profile.industry: fintech}
    - {not: {state.sso: true}}
    - {stalled: {step: connect, risk: ">=0.3"}}
    - {experiment: copy, arm: {not: short}}
every: 90m
"""


def test_a_good_rule_has_no_problem() -> None:
    assert problems(GOOD) == []


@pytest.mark.parametrize(
    ("clause", "said"),
    [
        (
            "{event: Conection Created}",
            "r.yaml:3:8: when.all.0.event: there is no event Conection Created;"
            " did you mean Connection Created?",
        ),
        (
            "{event: Connection Created, where: {conector: stripe}}",
            "r.yaml:3:43: when.all.0.where.conector: there is no field of Connection Created"
            " conector; did you mean connector?",
        ),
        (
            "{event: Connection Created, where: {connector: strip}}",
            "r.yaml:3:43: when.all.0.where.connector: connector is never strip;"
            " did you mean stripe?",
        ),
        (
            "{event: Connection Created, where: {rows: many}}",
            "r.yaml:3:43: when.all.0.where.rows: rows is a number, 'many' is a text",
        ),
        (
            "{event: Connection Created, within: 14}",
            "r.yaml:3:35: when.all.0.within: a time is a whole number with s, m, h, d or w,"
            " such as 14d",
        ),
        (
            "{event: Signed Up, at_least: 0}",
            "r.yaml:3:26: when.all.0.at_least: Input should be greater than or equal to 1",
        ),
        (
            "{event: Signed Up, atleast: 1}",
            "r.yaml:3:26: when.all.0.atleast: there is no such key here",
        ),
        (
            '{feature.days_since_singup: "<14"}',
            "r.yaml:3:8: when.all.0.feature.days_since_singup: there is no feature"
            " days_since_singup; did you mean days_since_signup?",
        ),
        (
            '{feature.last_page: "<14"}',
            "r.yaml:3:8: when.all.0.feature.last_page: last_page is a text; < compares numbers",
        ),
        (
            "{feature.days_since_signup: true}",
            "r.yaml:3:8: when.all.0.feature.days_since_signup: days_since_signup is a number,"
            " True is a flag",
        ),
        ('{feature.x: ">=soon"}', "'>=soon' compares with no number"),
        ("{feature.x: {at: 3}}", "expected a value, a comparison"),
        ("{feature: x}", "r.yaml:3:7: when.all.0: write feature.NAME: .."),
        (
            "{feature.x: 1, within: 3d}",
            "within has no place here",
        ),
        (
            "{profile.role: admn}",
            "r.yaml:3:8: when.all.0.profile.role: role is never admn; did you mean admin?",
        ),
        ("{profile.roll: admin}", "there is no fact profile.roll"),
        ("{profile.role: {is: admin, confidence: 0.4}}", "greater than or equal to 0.6"),
        ("{state.sso: 1}", "sso is a flag, 1 is a number"),
        ("{state.ssso: true}", "there is no state ssso; did you mean sso?"),
        (
            '{stalled: {step: conect, risk: ">=0.3"}}',
            "r.yaml:3:18: when.all.0.stalled.step: there is no step conect; did you mean connect?",
        ),
        ("{stalled: {step: connect, risk: 0.3}}", 'a risk is compared, such as ">=0.3"'),
        ('{stalled: {step: connect, risk: ">3"}}', "a risk lies between 0 and 1"),
        ("{experiment: copi, arm: short}", "there is no experiment copi; did you mean copy?"),
        ("{experiment: copy, arm: shor}", "copy is never shor; did you mean short?"),
        ("{evnt: Signed Up}", "there is no clause evnt; did you mean event?"),
        ("{event: a, feature.x: 1}", "event and feature.x stand in one mapping; write all: [..]"),
        ("just words", "a rule is a mapping such as {event: NAME}"),
        ("{any: []}", "should have at least 1 item"),
    ],
)
def test_each_mistake_is_said_with_its_place(clause: str, said: str) -> None:
    found = problems(f"when:\n  all:\n    - {clause}\n")
    assert len(found) == 1, found
    if said.startswith("r.yaml"):
        assert found[0] == said
    else:
        assert found[0].startswith("r.yaml:3:")
        assert said.replace("fact profile.roll", "fact roll") in found[0]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("when: {event: a\n", "expected ',' or '}'"),
        ("- a\n", "must be a mapping"),
        ("when: {event: a}\nwhen: {event: b}\n", "r.yaml:2:1"),
        ("", "must be a mapping"),
    ],
)
def test_what_is_no_mapping_is_said(text: str, said: str) -> None:
    assert said in problems(text)[0]


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match="cannot be read"):
        read_data(tmp_path / "none.yaml")


def test_the_json_schema_takes_what_the_parser_takes() -> None:
    schema = Draft202012Validator(TypeAdapter(_File).json_schema())
    schema.check_schema(schema.schema)
    assert list(schema.iter_errors(data_of(GOOD, "r.yaml").plain)) == []
    wrong: list[dict[str, object]] = [{"evnt": 1}, {"feature": "x"}, {"any": []}]
    for bad in [*wrong, {"event": "a", "within": "14"}]:
        assert list(schema.iter_errors({"when": bad})), bad


def test_times_are_written_in_their_largest_unit() -> None:
    for text in ("90s", "90m", "36h", "14d"):
        parsed = data_of(f"when: {{event: a}}\nevery: {text}", "r.yaml").parse(_File)
        assert parsed.every is not None
        assert written(parsed.every) == text
