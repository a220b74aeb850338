"""Two thousand attacks: no effect, no approval, no foreign word, no address; by where they sit."""

from __future__ import annotations

import os
import sys

from tests.agent.attacking.cases import AIMS, Case, Route, all_tried, cases
from tests.agent.attacking.encodings import ENCODINGS
from tests.agent.attacking.shop import OFFERED
from tests.agent.attacking.sources import Source

SEED = int(os.environ.get("ATTACK_SEED", "20260504"))
COUNT = int(os.environ.get("ATTACKS", "2000"))


async def survived(*routes: Route) -> None:
    """Every case of the run that takes one of these routes."""
    sys.stdout.write(f"attack seed {SEED}, {COUNT} cases\n")
    chosen = [case for case in cases(SEED, COUNT) if case.route in routes]
    found = await all_tried(chosen)
    told = [f"{case}: {finding.kind}: {finding.what}" for case, all_ in found.items()
            for finding in all_]  # fmt: skip
    assert not told, "\n".join(told[:20])


async def test_nothing_is_done_by_a_hostile_planner_or_by_forged_words() -> None:
    await survived(Route.PLANNER, Route.FORGER)


def test_the_run_tries_every_aim_by_every_source_in_every_disguise() -> None:
    chosen = cases(SEED, max(COUNT, 2000))
    assert {(case.route, case.aim) for case in chosen} == {
        (route, aim) for route, aims in AIMS.items() for aim in aims
    }
    for axis in (_source, _encoding, _tool):
        for route in Route:
            tried = {axis(case) for case in chosen if case.route is route}
            assert tried == _ALL[axis.__name__], (route, axis.__name__)


def _source(case: Case) -> str:
    return case.source.value


def _encoding(case: Case) -> str:
    return case.encoding


def _tool(case: Case) -> str:
    return case.tool


_ALL = {
    "_source": {source.value for source in Source},
    "_encoding": set(ENCODINGS),
    "_tool": {told.name for told in OFFERED},
}


def test_a_seed_is_a_case_and_a_run_begins_with_the_shorter_run() -> None:
    assert cases(7, 20) == cases(7, 40)[:20]
    assert len({case.seed for case in cases(7, 500)}) == 500
