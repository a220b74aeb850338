from __future__ import annotations

import pytest

from agent.blocks import Stretch, code_in, table_in

PAGE = """Run this:

   ```bash
   one --flag

   two
   ```

| Name | Value |
|------|:-----:|
| a | 1 |
| b | 2 |
"""


def held(stretch: Stretch | None) -> str | None:
    return None if stretch is None else PAGE[stretch.start : stretch.end]


@pytest.mark.parametrize(
    ("code", "quote"),
    [
        ("one --flag\ntwo", "one --flag\n\n   two"),
        ("  two", "two"),
        ("one --flag", "one --flag"),
        ("two\none --flag", None),
        ("one --flag --force", None),
        ("one", None),
        ("", None),
    ],
)
def test_code_stands_line_by_line_as_on_the_page(code: str, quote: str | None) -> None:
    assert held(code_in(code, PAGE)) == quote


@pytest.mark.parametrize(
    ("table", "first", "last"),
    [
        ("| Name | Value |\n| --- | --- |\n| a | 1 |\n| b | 2 |", "| Name", "| b | 2 |"),
        ("|Name|Value|\n|-|-|\n|b|2|", "| Name", "| b | 2 |"),
        ("| a | 1 |", "| a", "| a | 1 |"),
    ],
)
def test_rows_may_be_left_out(table: str, first: str, last: str) -> None:
    quote = held(table_in(table, PAGE))
    assert quote is not None
    assert quote.startswith(first)
    assert quote.endswith(last)


@pytest.mark.parametrize(
    "table",
    ["| a | 2 |", "| b | 2 |\n| a | 1 |", "| Name | Value |\n| --- | --- |\n| c | 3 |", ""],
)
def test_rows_are_never_added_changed_or_moved(table: str) -> None:
    assert table_in(table, PAGE) is None
