from __future__ import annotations

from pathlib import Path

import pytest

from ingest.frontmatter import split_front_matter
from ingest.labels import LabelFault, LabelRules, find_rules, load_rules, page_labels
from ingest.pages import load
from ingest.types import Page, PageError, RulesError
from tests.ingest.reading import Pages, raw

RULES = """\
[[rule]]
match = "**"
audience = "customer"
owner = "docs@harbor.example"

[[rule]]
match = ["runbooks/**", "*.internal.md"]
audience = ["staff"]
plan = "pro, enterprise"
"""


def rules(tmp_path: Path, text: str = RULES) -> LabelRules:
    file = tmp_path / "labels.toml"
    file.write_text(text, "utf-8")
    return load_rules(file)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("admin", ("admin",)),
        ("admin, owner,admin", ("admin", "owner")),
        (["admin", "owner, staff"], ("admin", "owner", "staff")),
        (2.1, ("2.1",)),
        ([1, "2"], ("1", "2")),
        ("*", ("*",)),
        (None, ("*",)),
    ],
)
def test_values_are_a_text_a_comma_list_or_a_list(value: object, expected: tuple[str, ...]) -> None:
    assert page_labels("a.md", {"version": value}, LabelRules()).version == expected


@pytest.mark.parametrize("value", [{}, [], "", " , ", True, [["a"]], {"a": "b"}, "a\nb", "x" * 101])
def test_what_is_no_label_is_refused_rather_than_shown_to_all(value: object) -> None:
    with pytest.raises(LabelFault) as caught:
        page_labels("a.md", {"audience": value}, LabelRules())
    assert caught.value.field == "audience"


def test_unknown_keys_are_ignored_and_tenant_cannot_be_set() -> None:
    labels = page_labels("a.md", {"tenant": "other", "tags": {"x": 1}}, LabelRules())
    assert labels.of("acme").tenant == "acme"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("updated: 2026-11-02", "2026-11-02"),
        ("updated: 2026-11-02T10:00:00Z", "2026-11-02"),
        ('updated: "2026-11-02 10:00"', "2026-11-02"),
        ("other: 1", None),
    ],
)
def test_dates(value: str, expected: str | None) -> None:
    meta = split_front_matter(f"---\n{value}\n---\n").values
    assert page_labels("a.md", meta, LabelRules()).updated == expected


def test_the_last_rule_wins_field_by_field_and_front_matter_over_all(tmp_path: Path) -> None:
    given = rules(tmp_path)
    guide = page_labels("guides/a.md", {}, given)
    assert (guide.audience, guide.plan) == (("customer",), ("*",))
    runbook = page_labels("runbooks/a.md", {}, given)
    assert (runbook.audience, runbook.plan) == (("staff",), ("pro", "enterprise"))
    assert runbook.owner == "docs@harbor.example"
    assert page_labels("deep/x.internal.md", {}, given).audience == ("staff",)
    assert page_labels("runbooks/a.md", {"audience": "all"}, given).audience == ("all",)
    assert page_labels("runbooks/a.md", {"audience": None}, given).audience == ("staff",)


@pytest.mark.parametrize(
    ("text", "line", "part"),
    [
        ("[[rule]]\nmatch = \n", 2, "Invalid value"),
        ("[[rule]]\naudience = 'x'\n", 1, "match"),
        ("[[rule]]\nmatch = 'a'\n[[rule]]\nmatch = 'b'\naudiences = 'x'\n", 5, "audiences"),
        ("[[rule]]\nmatch = 'a'\nplan = true\n", 3, "plan"),
        ("[[rule]]\nmatch = 'a'\nupdated = 'soon'\n", 3, "updated"),
        ("[rule]\nmatch = 'a'\n", 1, "double brackets"),
        ("[[rules]]\nmatch = 'a'\n", 1, "rules"),
    ],
)
def test_a_broken_rules_file_is_told_with_its_line(
    tmp_path: Path, text: str, line: int, part: str
) -> None:
    with pytest.raises(RulesError, match=part) as caught:
        rules(tmp_path, text)
    assert caught.value.line == line


def test_a_rules_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(RulesError, match="No such file"):
        load_rules(tmp_path / "labels.toml")


def test_rules_are_found_beside_the_docs(tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    assert find_rules(docs) is None
    (tmp_path / "labels.toml").touch()
    assert find_rules(docs) == tmp_path / "labels.toml"
    (docs / "embark-labels.toml").touch()
    assert find_rules(docs) == docs / "embark-labels.toml"


def test_a_label_in_doubt_leaves_the_page_out_and_names_its_line() -> None:
    source = Pages([raw("---\ntitle: x\nrole: {a: 1}\n---\ntext\n", "a.md"), raw("fine\n", "b.md")])
    error, fine = load(source)
    assert isinstance(error, PageError)
    assert (error.path, error.line) == ("a.md", 3)
    assert isinstance(fine, Page)
