from __future__ import annotations

import pytest

from agent.render import Renderer, Unit, marked
from agent.types import Block


def unit(text: str, block: Block = Block.SENTENCE, *markers: int, topic: str = "a") -> Unit:
    return Unit(text, block, markers or (1,), topic, "bash" if block is Block.CODE else None)


def rendered(*units: Unit) -> str:
    renderer = Renderer()
    return "".join(renderer.feed(each) for each in units)


@pytest.mark.parametrize(
    ("text", "markers", "shown"),
    [
        ("Admins can invite people.", (1,), "Admins can invite people [1]."),
        ("Is it free?", (1, 2), "Is it free [1][2]?"),
        ("Run `make`", (3,), "Run `make` [3]"),
        ('He said "stop."', (1,), 'He said "stop [1]."'),
        ("それは無料です。", (1,), "それは無料です [1]。"),
        ("Open the menu:", (1,), "Open the menu [1]:"),
        ("A lead-in", (), "A lead-in"),
    ],
)
def test_markers_stand_inside_the_closing_mark(
    text: str, markers: tuple[int, ...], shown: str
) -> None:
    assert marked(text, markers) == shown


def test_sentences_of_one_passage_run_on_and_others_begin_a_paragraph() -> None:
    text = rendered(unit("One."), unit("Two."), unit("Three.", Block.SENTENCE, 2, topic="b"))
    assert text == "One [1]. Two [1].\n\nThree [2]."


def test_steps_count_from_one_and_go_on_after_code() -> None:
    text = rendered(
        unit("Do this:"),
        unit("Open it.", Block.STEP),
        unit("make x", Block.CODE),
        unit("Close it.", Block.STEP),
        unit("Done."),
        unit("Again.", Block.STEP),
    )
    assert text == (
        "Do this [1]:\n\n1. Open it [1].\n\n```bash\nmake x\n```\n\n2. Close it [1].\n\n"
        "Done [1].\n\n1. Again [1]."
    )


def test_bullets_and_headings() -> None:
    text = rendered(
        Unit("Formats", Block.HEADING, (), "a"),
        unit("PDF keeps\nthe layout.", Block.ITEM),
        unit("CSV.", Block.ITEM),
    )
    assert text == "**Formats**\n\n- PDF keeps the layout [1].\n- CSV [1]."


def test_code_cites_below_unless_the_unit_before_does() -> None:
    assert rendered(unit("x = 1", Block.CODE)) == "```bash\nx = 1\n```\n\n[1]"
    assert rendered(unit("So:"), unit("x = 1", Block.CODE)).endswith("```")
    other = rendered(unit("So:"), unit("x = 1", Block.CODE, 2))
    assert other.endswith("```\n\n[2]")


def test_a_table_keeps_its_lines() -> None:
    table = "| a | b |\n| --- | --- |\n| 1 | 2 |"
    assert rendered(unit("So."), unit(table, Block.TABLE)) == f"So [1].\n\n{table}"


def test_a_fence_is_longer_than_any_inside_and_a_language_is_a_word() -> None:
    inside = unit("```\ncode\n```", Block.CODE)
    assert rendered(inside).startswith("````bash\n```\n")
    odd = Unit("x", Block.CODE, (1,), "a", "bash onload=alert(1)")
    assert rendered(odd).startswith("```\nx\n")


def test_a_closing_notice_is_a_paragraph_of_its_own() -> None:
    renderer = Renderer()
    assert renderer.close("Sorry.") == "Sorry."
    renderer.feed(unit("One."))
    assert renderer.close("Sorry.") == "\n\nSorry."
