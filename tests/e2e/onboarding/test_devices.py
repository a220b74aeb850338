"""One person on two devices, and two servers on one database: what one says the other says."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.e2e.onboarding.people import (
    Body,
    Someone,
    actions,
    imports_csv,
    signed_up,
    states,
)
from tests.e2e.onboarding.stage import Running, free_port

TRIES = 5
"""One decision in twenty shows nothing on purpose; a week of them is not drawn."""


@pytest.fixture(scope="module")
def second(product: Running) -> Iterator[httpx.Client]:
    """Another server beside the first."""
    with product.stage.serving(free_port()) as server:
        yield server


def with_cards(product: Running) -> tuple[Someone, Body]:
    """A new owner, and next steps of which there are some."""
    for _ in range(TRIES):
        owner = signed_up(product)
        standing = owner.until(lambda found: bool(found["checklist"]))
        if standing["cards"]:
            return owner, standing
    raise AssertionError("no cards for anybody")


def test_two_devices_see_and_say_the_same(product: Running, second: httpx.Client) -> None:
    owner, here = with_cards(product)
    other = owner.signs_in_again()
    assert other.token != owner.token
    assert other.steps(second) == owner.steps(), "one decision, one checklist"
    card = here["cards"][0]
    put_off = owner.says_to_card(card, "snoozed", snooze="7d")
    assert card["action"] not in actions(put_off)
    there = other.steps(second)
    assert [muted["action"] for muted in there["muted"]] == [card["action"]]
    assert there == owner.steps()
    back = other.embark("DELETE", f"/v1/me/muted/{card['action']}", second).raise_for_status()
    assert back.json()["muted"] == owner.steps()["muted"] == []
    chosen = other.embark("PUT", "/v1/me/mode", second, json={"mode": "advanced"})
    chosen.raise_for_status()
    assert owner.steps()["mode"] == "advanced"
    assert owner.steps() == other.steps(second)


def test_a_deed_is_seen_by_both_servers(product: Running, second: httpx.Client) -> None:
    """Harbor tells the first server alone."""
    owner, _ = with_cards(product)
    other = owner.signs_in_again()
    imports_csv(owner)
    owner.until(lambda standing: states(standing)["connect"] == "done")
    assert states(other.steps(second))["connect"] == "done"
    assert owner.steps() == other.steps(second)
    said = other.embark("PUT", "/v1/me/profile/role", second, json={"value": "executive"})
    said.raise_for_status()
    assert owner.steps()["journey"].startswith("executive-value@")
    assert owner.profile() == other.profile(second)
