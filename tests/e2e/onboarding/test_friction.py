"""An import that fails in Harbor: help within three seconds, and the way out first of all."""

from __future__ import annotations

import asyncio
import time

import pytest

from tests.e2e.onboarding.log import arrived, withheld
from tests.e2e.onboarding.people import (
    PATIENCE_S,
    POLL_S,
    Body,
    Someone,
    actions,
    imports_csv,
    signed_up,
    states,
)
from tests.e2e.onboarding.stage import Running

pytestmark = pytest.mark.alone
PROMISED_S = 3.0
PEOPLE = 6
"""One in twenty gets nothing: six of them in a row, one test in 60 million."""


def failing_import(product: Running) -> Someone:
    """Harbor's source breaks off halfway, once."""
    owner = signed_up(product)
    owner.until(lambda standing: bool(standing["checklist"]))
    product.stage.harbor.fault("start_import", "partial")
    imports_csv(owner)
    return owner


async def message(person: Someone) -> Body | None:
    """The first of the inbox; None for whoever was drawn to get none, so that the others can be
    compared with them."""
    ends = time.monotonic() + PATIENCE_S
    while not (found := person.messages()):
        if await withheld(person):
            return None
        assert time.monotonic() < ends, "no message"
        await asyncio.sleep(POLL_S)
    return found[0]


async def test_the_way_out_comes_first(product: Running) -> None:
    owner = failing_import(product)
    standing = owner.until(lambda found: "fix_import" in actions(found))
    seen = time.time()
    first = standing["cards"][0]
    assert (first["action"], first["tool"]) == ("fix_import", "fix_it")
    assert "connect_data" not in actions(standing), "once more would fail once more"
    assert states(standing)["connect"] == "open"
    late = seen - (await arrived(owner, "Import Failed")).timestamp()
    assert late <= PROMISED_S, f"{late:.2f} s"
    imports_csv(owner)  # mended, and tried again
    mended = owner.until(lambda found: states(found)["connect"] == "done")
    assert mended["share"] > standing["share"]


async def test_a_message_says_how_to_mend_it(product: Running) -> None:
    for _ in range(PEOPLE):
        owner = failing_import(product)
        told = await message(owner)
        if told is not None:
            break
    else:
        pytest.fail(f"each of {PEOPLE} people was drawn to get nothing")
    late = time.time() - (await arrived(owner, "Import Failed")).timestamp()
    assert late <= PROMISED_S, f"{late:.2f} s"
    assert "csv" in told["title"] + told["body"], "the source is named"
    assert told["body"]
    assert told["seen"] is False
