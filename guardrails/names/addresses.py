"""Made-up postal addresses, in the forms that people write them in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

_STREETS = (
    "{w} Street", "{w} St", "{w} St.", "{w} Road", "{w} Rd", "{w} Avenue", "{w} Ave", "{w} Lane",
    "{w} Drive", "{w} Dr", "{w} Court", "{w} Way", "{w} Blvd", "{w} Square", "{w} Terrace",
    "{w}straße", "{w}strasse", "{w}str.", "{w}weg", "{w}platz", "{w} gade", "{w}gata", "{w}veien",
    "{w}straat", "{w}laan", "{w} utca", "{w} u.", "{w} ulice", "Rue {w}", "Rue de {w}",
    "Avenue {w}", "Boulevard {w}", "Via {w}", "Viale {w}", "Piazza {w}", "Calle {w}",
    "Calle de {w}", "Avenida {w}", "Rua {w}", "Rua do {w}", "Praça {w}", "ul. {w}", "Ulica {w}",
    "{w}",
)  # fmt: skip
_ROOMS = ("Apt. {n}", "Apt {n}", "Suite {n}", "Flat {n}", "Unit {n}", "Floor {n}", "#{n}", "2. OG")
_FORMS = (
    "{h} {street}, {town}",
    "{h} {street}, {room}, {town}, {state} {zip}",
    "{h} {street} {room}, {town}, {land} {zip}",
    "{h} {street} {room} {town} {land} {zip}",
    "{h} {street}, {town}, {land}",
    "{h} {street}\n{town}\n{land} {zip}",
    "{h} {street}\n{room}\n{town}\n{land} {zip}",
    "{h} {street} {room}\n{town}\n, {state}\n {land} {zip}",
    "{h} {street}\n{town}, {state} {zip}",
    "{street} {h}, {zip} {town}",
    "{street} {h}, {zip} {town}, {land}",
    "{street} {h}\n{zip} {town}",
    "{street} {h}\n{zip} {town}\n{land}",
    "{street} {h}",
    "{h} {street}",
    "{street} {h}, {town}",
    "PO Box {n}, {town}",
    "P.O. Box {n}\n{town}, {state} {zip}",
    "Postfach {n}, {zip} {town}",
    "PSC {n}, Box {n}\nAPO AE {zip}",
    "Unit {n} Box {n}\nDPO AP {zip}",
)
_NUMBER = {"h": (1, 9999), "n": (1, 9999), "zip": (1000, 99999)}


def address(
    town: Callable[[], str], words: Sequence[str], lands: Sequence[str], rng: Random
) -> str:
    """One address: streets are named by `words`, towns drawn by `town`."""
    parts = {name: str(rng.randint(*ends)) for name, ends in _NUMBER.items()}
    street = rng.choice(_STREETS).format(w=rng.choice(words))
    room = rng.choice(_ROOMS).format(n=rng.randint(1, 999))
    state = "".join(rng.choices("ACDFGILMNOPTVWY", k=2))
    return rng.choice(_FORMS).format(
        street=street, room=room, state=state, town=town(), land=rng.choice(lands), **parts
    )
