"""The pin: what may be called, and what is said of the rest."""

from __future__ import annotations

import pytest

from guardrails.regions import Place, RegionPin, WrongRegionError, authority

HERE = Place("the chat model", "https://models.example/v1", "eu", "model.region")
THERE = Place("the source crm", "https://api.crm.example", "us", "actions.regions.crm")
NOWHERE = Place("the database", "db.example:5432", None, "database.region")


def test_without_a_region_everything_may_go() -> None:
    pin = RegionPin(None, (THERE, NOWHERE))
    assert pin.problems() == []
    for url in ("https://api.crm.example/x", "http://anywhere.example"):
        pin.check(url)


def test_each_place_that_is_elsewhere_is_said_to_be() -> None:
    assert RegionPin("eu", (HERE,)).problems() == []
    there, nowhere = RegionPin("eu", (HERE, THERE, NOWHERE)).problems()
    assert there.startswith("actions.regions.crm: the source crm is in 'us', but everything stays")
    assert nowhere.startswith("database.region is needed: everything stays in 'eu'")


@pytest.mark.parametrize(
    "url",
    [
        "https://api.crm.example/v1/people",
        "https://models.example:8443/v1",  # another port is another place
        "http://models.example/v1",
        "https://models.example.evil.example/v1",
        "https://evil.example/https://models.example/v1",
        "https://models.example@evil.example/v1",
        "https://unknown.example",
    ],
)
def test_what_is_not_in_the_region_is_not_called(url: str) -> None:
    with pytest.raises(WrongRegionError):
        RegionPin("eu", (HERE, THERE, NOWHERE)).check(url)


@pytest.mark.parametrize(
    "url", ["https://models.example/v1/chat", "https://MODELS.example:443/v1", "models.example"]
)
def test_what_is_in_the_region_is_called(url: str) -> None:
    RegionPin("eu", (HERE, THERE)).check(url)


def test_two_places_behind_one_address_have_to_agree() -> None:
    other = Place("the host product", "https://models.example", "us", "actions.regions.host")
    with pytest.raises(WrongRegionError, match="the host product"):
        RegionPin("eu", (HERE, other)).check("https://models.example/v1")


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("https://a.example/x?y", "a.example:443"),
        ("http://a.example", "a.example:80"),
        ("http://[::1]:8080/x", "::1:8080"),
        ("a.example", "a.example:443"),
        ("127.0.0.1:5432", "127.0.0.1:5432"),
    ],
)
def test_an_authority_is_a_host_and_a_port(address: str, expected: str) -> None:
    assert authority(address) == expected
