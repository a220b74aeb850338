from __future__ import annotations

import pytest

from ingest.frontmatter import MAX_CHARS, split_front_matter
from ingest.types import PageFault


def test_yaml_and_toml_give_values_lines_and_the_body() -> None:
    for source in (
        "---\nTitle: Hi\nplan: pro\n---\nbody\n",
        '+++\nTitle = "Hi"\nplan = "pro"\n+++\nbody\n',
    ):
        front = split_front_matter(source)
        assert front.values == {"title": "Hi", "plan": "pro"}
        assert front.lines == {"title": 2, "plan": 3}
        assert (front.body, front.body_line) == ("body\n", 5)


@pytest.mark.parametrize("source", ["text\n", "---\n\ntext\n", "--- \nprose line\n", "", "\n---\n"])
def test_a_page_without_front_matter_is_all_body(source: str) -> None:
    front = split_front_matter(source)
    assert (front.values, front.body, front.body_line) == ({}, source, 1)


def test_empty_front_matter() -> None:
    front = split_front_matter("---\n# nothing\n---\nbody")
    assert (front.values, front.body) == ({}, "body")


@pytest.mark.parametrize(
    ("block", "part"),
    [
        ("a: b: c", "YAML"),
        ("a: !!python/object/apply:os.system ['true']", "YAML"),
        ("a: *nowhere", "YAML"),
        ("a: \t- x\n  b", "YAML"),
        ("x: " + "y" * MAX_CHARS, "longer than"),
    ],
)
def test_what_yaml_refuses_is_a_fault(block: str, part: str) -> None:
    with pytest.raises(PageFault, match=part):
        split_front_matter(f"---\n{block}\n---\nbody")


def test_a_tower_of_aliases_costs_nothing() -> None:
    levels = ["a0: &a0 [x, x]", *(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 60))]
    assert "a59" in split_front_matter("---\n" + "\n".join(levels) + "\n---\nbody").values
