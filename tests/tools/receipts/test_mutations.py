"""Threat 19: tampering is found and named, at either depth, and nothing whole is accused."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from tests.tools.receipts import suite
from tests.tools.receipts.mutations import KINDS
from tests.tools.receipts.scenes import build
from tools.receipts.verify import Depth

MUTATIONS = 5000


def test_every_mutation_is_detected_with_its_class(
    tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    seed = int(pytestconfig.getoption("hypothesis_seed"))
    outcome = suite.run(tmp_path, MUTATIONS, seed)
    assert not outcome.missed
    assert not outcome.false_alarms
    assert outcome.by_kind.total() == MUTATIONS
    assert outcome.whole >= MUTATIONS // suite.WHOLE_EVERY
    assert min(outcome.by_kind.values()) >= MUTATIONS // len(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_both_depths_name_the_same_failures(tmp_path: Path, kind: str) -> None:
    rng = Random(kind)
    for _ in range(3):
        case = KINDS[kind](build(tmp_path, rng), rng).case
        reports = [case.verify(tmp_path / "case.jsonl", depth) for depth in Depth]
        assert reports[0].failures == reports[1].failures
