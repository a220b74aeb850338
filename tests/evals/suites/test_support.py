from __future__ import annotations

import pytest

from evals.suites.shown import Shown
from evals.suites.support import missing_from

EVIDENCE = "Invite teammates\nAn invitation expires after 7 days. Set `max_age_days` to change it."


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("Invitations expire after 7 days.", ()),
        ("An invitation expires after 14 days.", ("14",)),
        ("Set `max_age_days`.", ()),
        ("Set `max_age_hours`.", ("hour", "max_age_hours")),
        ("An owner can invite.", ("owner",)),
    ],
)
def test_words_numbers_and_names_must_stand_in_the_evidence(
    text: str, missing: tuple[str, ...]
) -> None:
    assert set(missing) <= set(missing_from(Shown(text, "sentence", (1,)), EVIDENCE))
    assert bool(missing) == bool(missing_from(Shown(text, "sentence", (1,)), EVIDENCE))


def test_code_must_stand_line_by_line() -> None:
    evidence = "```\nembark  init\nembark serve\n```"
    assert missing_from(Shown("embark init\nembark serve", "code", (1,)), evidence) == ()
    invented = Shown("embark init\nrm -rf /", "code", (1,))
    assert missing_from(invented, evidence) == ("rm -rf /",)
