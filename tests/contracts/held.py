"""What every store of held values does: tokens for values, values for their owner alone."""

from __future__ import annotations

import asyncio

import pytest
from pydantic import JsonValue

from guardrails.patterns import PatternRedactor
from tools.held import HeldValues, UnknownTokenError
from tools.vault import KeyDestroyedError, Vault

REDACTOR = PatternRedactor()
LINK = "postgresql://reader:s3cr%3At@db.acme.io:5433/app"
PLACE = ("t", "ana", "thread")


async def hold(held: HeldValues, text: str, place: tuple[str, str, str] = PLACE) -> str:
    return await held.hold(*place, text, REDACTOR.redact(text))


class HeldValuesContract:
    """Inherited by the test module of each implementation, which provides `held` and `vault`."""

    @pytest.fixture
    def vault(self) -> Vault:
        raise NotImplementedError

    @pytest.fixture
    def held(self, vault: Vault) -> HeldValues:
        raise NotImplementedError

    async def test_values_become_numbered_tokens(self, held: HeldValues) -> None:
        text = await hold(held, "invite ana@acme.io and bob@acme.io")
        assert text == "invite <EMAIL_ADDRESS_1> and <EMAIL_ADDRESS_2>"
        known = await held.known("t", "thread")
        assert [h.token for h in known] == ["<EMAIL_ADDRESS_1>", "<EMAIL_ADDRESS_2>"]
        assert [dict(h.shape) for h in known] == [{"domain": "acme.io"}] * 2

    async def test_the_same_value_keeps_its_token(self, held: HeldValues) -> None:
        await hold(held, "invite ana@acme.io")
        assert await hold(held, "no, bob@acme.io, not ANA@acme.io") == (
            "no, <EMAIL_ADDRESS_2>, not <EMAIL_ADDRESS_1>"
        )
        assert len(await held.known("t", "thread")) == 2

    async def test_a_token_means_nothing_in_another_conversation(self, held: HeldValues) -> None:
        await hold(held, "invite ana@acme.io")
        for place in (("t", "ana", "other"), ("t2", "ana", "thread"), ("t", "eve", "thread")):
            with pytest.raises(UnknownTokenError):
                await held.restore(*place, {"email": "<EMAIL_ADDRESS_1>"})
        assert await held.known("t", "other") == ()

    async def test_restores_anywhere_in_the_arguments(self, held: HeldValues) -> None:
        await hold(held, "ana@acme.io and bob@acme.io")
        there: dict[str, JsonValue] = {
            "emails": ["<EMAIL_ADDRESS_1>", {"cc": "<EMAIL_ADDRESS_2>"}],
            "note": "ask <EMAIL_ADDRESS_1>",
            "n": 3,
        }
        assert await held.restore(*PLACE, there) == {
            "emails": ["ana@acme.io", {"cc": "bob@acme.io"}],
            "note": "ask ana@acme.io",
            "n": 3,
        }

    async def test_parts_of_a_link(self, held: HeldValues) -> None:
        assert await hold(held, f"connect {LINK}") == "connect <URL_1>"
        (known,) = await held.known("t", "thread")
        assert dict(known.shape) == {
            "scheme": "postgresql",
            "issuer": "postgresql",
            "parts": "username password host port database",
        }
        parts = ("host", "port", "database", "username", "password")
        there = {part: f"<URL_1.{part}>" for part in parts}
        assert await held.restore(*PLACE, there) == {
            "host": "db.acme.io",
            "port": 5433,
            "database": "app",
            "username": "reader",
            "password": "s3cr:t",
        }
        with pytest.raises(UnknownTokenError):
            await held.restore(*PLACE, {"x": "<URL_1.query>"})

    async def test_the_owner_sees_all_but_secrets(self, held: HeldValues) -> None:
        await hold(held, f"ana@acme.io connects {LINK} with sk_live_4eC39HqLyjWDarjtT1zdp7dc")
        said = "<EMAIL_ADDRESS_1> <URL_1> <URL_1.host> <URL_1.password> <API_KEY_1> <URL_9>"
        assert await held.shown(*PLACE, said) == (
            "ana@acme.io postgresql://reader:••••@db.acme.io:5433/app db.acme.io •••• •••• <URL_9>"
        )
        assert await held.shown("t", "eve", "thread", said) == said

    async def test_nothing_is_left_after_the_key(self, held: HeldValues, vault: Vault) -> None:
        await hold(held, "invite ana@acme.io")
        vault.destroy("t", "ana")
        with pytest.raises(KeyDestroyedError):
            await held.restore(*PLACE, {"email": "<EMAIL_ADDRESS_1>"})

    async def test_turns_at_once_get_numbers_of_their_own(self, held: HeldValues) -> None:
        texts = await asyncio.gather(*(hold(held, f"invite p{n}@acme.io") for n in range(5)))
        assert len(set(texts)) == 5
        arguments = {str(n): text.removeprefix("invite ") for n, text in enumerate(texts)}
        restored = await held.restore(*PLACE, arguments)
        assert restored == {str(n): f"p{n}@acme.io" for n in range(5)}
