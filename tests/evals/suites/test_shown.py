from __future__ import annotations

from evals.suites.shown import Shown, shown_units


def test_sentences_carry_their_own_markers() -> None:
    assert shown_units("Open it [1]. It costs 3.5 dollars [2][3].") == [
        Shown("Open it.", "sentence", (1,)),
        Shown("It costs 3.5 dollars.", "sentence", (2, 3)),
    ]


def test_steps_and_bullets_lose_their_list_marks() -> None:
    units = shown_units("1. Press **Save** [1].\n2. Wait [1].\n\n- An item [2]")
    assert [unit.text for unit in units] == ["Press **Save**.", "Wait.", "An item"]


def test_what_has_no_marker_is_seen_as_uncited() -> None:
    assert shown_units("Proven [1]. Claimed without proof.") == [
        Shown("Proven.", "sentence", (1,)),
        Shown("Claimed without proof.", "sentence", ()),
    ]


def test_code_takes_the_proof_below_else_that_above() -> None:
    below = shown_units("Run [1]:\n\n```sh\nls [2] -l\n```\n\n[3]")
    assert below == [Shown("Run:", "sentence", (1,)), Shown("ls [2] -l", "code", (3,))]
    above = shown_units("Run [1]:\n\n```\nls\n\npwd\n```")
    assert above[1] == Shown("ls\n\npwd", "code", (1,))


def test_tables_stay_whole_and_headings_claim_for_all() -> None:
    units = shown_units("**Limits**\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n[1]")
    assert [unit.kind for unit in units] == ["heading", "table"]
    assert units[1].markers == (1,)
    assert units[1].text.count("\n") == 2


def test_an_open_fence_ends_with_the_answer() -> None:
    assert shown_units("```\nrest")[0].text == "rest"
