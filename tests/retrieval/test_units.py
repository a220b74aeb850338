"""Units: what a chunk is made of, verbatim and in order."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from retrieval.units import UnitKind, split

TEXT = """Yes. You can e.g. filter by plan. Then do this:

1. Go to **Settings**. Then click.
2. Choose:
   - one
   - two

   ```bash
   curl -X
   ```
3. Done

> **Note:** careful here. Really.

| a | b |
|---|---|
| 1 | 2 |

```json
{"a": 1}
```"""


def test_kinds_in_order() -> None:
    found = [(unit.kind, unit.text) for unit in split(TEXT)]
    assert found == [
        (UnitKind.SENTENCE, "Yes."),
        (UnitKind.SENTENCE, "You can e.g. filter by plan."),
        (UnitKind.SENTENCE, "Then do this:"),
        (UnitKind.STEP, "Go to **Settings**. Then click."),
        (UnitKind.STEP, "Choose:"),
        (UnitKind.ITEM, "one"),
        (UnitKind.ITEM, "two"),
        (UnitKind.CODE, "curl -X"),
        (UnitKind.STEP, "Done"),
        (UnitKind.SENTENCE, "**Note:** careful here."),
        (UnitKind.SENTENCE, "Really."),
        (UnitKind.TABLE, "| a | b |\n|---|---|\n| 1 | 2 |"),
        (UnitKind.CODE, '{"a": 1}'),
    ]


def test_code_has_its_language_and_lists_their_depth() -> None:
    units = split(TEXT)
    assert [u.language for u in units if u.kind is UnitKind.CODE] == ["bash", "json"]
    assert [u.depth for u in units if u.kind is UnitKind.ITEM] == [1, 1]


def test_sentences_of_one_paragraph_share_a_block() -> None:
    units = split("One is here. Two is here.\n\nThree is there.")
    assert [u.block for u in units] == [0, 0, 1]


@given(st.text(alphabet="ab.?! \n-*1#>`|A", max_size=200))
def test_every_unit_is_verbatim_and_in_order(text: str) -> None:
    units = split(text)
    assert all(text[u.start : u.end] == u.text for u in units)
    assert all(a.end <= b.start for a, b in itertools.pairwise(units))
