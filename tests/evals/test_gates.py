from __future__ import annotations

from pathlib import Path

import pytest

from evals.gates import ThresholdsError, check

DOCUMENT = {"citations": {"precision": {"value": 0.9}}, "refusal": {"brier": None}}


def rules(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "thresholds.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_bounds_are_inclusive(tmp_path: Path) -> None:
    met = rules(tmp_path, '["citations/precision"]\nat_least = 0.9\nat_most = 0.9\n')
    assert check(DOCUMENT, met) == []
    missed = check(DOCUMENT, rules(tmp_path, '["citations/precision"]\nat_least = 0.91\n'))
    assert [str(one) for one in missed] == ["citations/precision is 0.9000, wanted at least 0.91"]


def test_an_absent_figure_is_missed_unless_optional(tmp_path: Path) -> None:
    for figure in ("refusal/brier", "nothing/such"):
        table = f'["{figure}"]\nat_most = 0.1\n'
        assert [one.value for one in check(DOCUMENT, rules(tmp_path, table))] == [None]
        assert check(DOCUMENT, rules(tmp_path, table + "optional = true\n")) == []


@pytest.mark.parametrize("text", ["[broken", '["citations/precision"]\nlimit = 1\n'])
def test_a_file_that_cannot_be_used_says_so(tmp_path: Path, text: str) -> None:
    with pytest.raises(ThresholdsError, match=r"thresholds\.toml"):
        check(DOCUMENT, rules(tmp_path, text))


def test_the_shipped_thresholds_can_be_read() -> None:
    assert {one.bound for one in check({})} == {"at_least", "at_most"}
