from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from tests.tools.journal.databases import postgres, sqlite
from tools.store.wrapping import Wrapping
from tools.vault import KeyDestroyedError, Vault
from tools.vault_memory import MemoryVault
from tools.vault_sql import CACHED_S, SqlVault

MASTER = bytes(range(32))


class VaultContract:
    def test_what_is_sealed_opens_in_its_place_only(self, vault: Vault) -> None:
        sealed = vault.seal("acme", "ada", "action/1/args", b"secret")
        assert b"secret" not in sealed
        assert vault.open("acme", "ada", "action/1/args", sealed) == b"secret"
        assert vault.seal("acme", "ada", "action/1/args", b"secret") != sealed
        for place in (
            ("umbrella", "ada", "action/1/args"),
            ("acme", "bob", "action/1/args"),
            ("acme", "ada", "action/2/args"),
        ):
            with pytest.raises(ValueError, match="was changed"):
                vault.open(*place, sealed)

    def test_every_changed_byte_is_noticed(self, vault: Vault) -> None:
        sealed = vault.seal("acme", "ada", "c", b"secret")
        for place in range(len(sealed)):
            forged = bytearray(sealed)
            forged[place] ^= 1
            with pytest.raises(ValueError, match="was changed"):
                vault.open("acme", "ada", "c", bytes(forged))
        for short in (b"", sealed[:5], sealed[:12], sealed[:-1]):
            with pytest.raises(ValueError, match="was changed"):
                vault.open("acme", "ada", "c", short)

    def test_a_mac_is_equal_for_equal_content_of_one_subject(self, vault: Vault) -> None:
        assert vault.mac("acme", "ada", b"x") == vault.mac("acme", "ada", b"x")
        assert vault.mac("acme", "ada", b"x") != vault.mac("acme", "ada", b"y")
        assert vault.mac("acme", "ada", b"x") != vault.mac("acme", "bob", b"x")
        assert vault.mac("acme", "ada", b"x") != vault.mac("umbrella", "ada", b"x")

    def test_a_destroyed_key_opens_nothing_and_comes_not_back(self, vault: Vault) -> None:
        sealed = vault.seal("acme", "ada", "c", b"secret")
        assert vault.destroy("acme", "ada")
        assert not vault.destroy("acme", "ada")
        assert not vault.destroy("acme", "never seen")
        for use in (
            lambda: vault.open("acme", "ada", "c", sealed),
            lambda: vault.seal("acme", "ada", "c", b"again"),
            lambda: vault.mac("acme", "ada", b"x"),
            lambda: vault.mac("acme", "never seen", b"x"),
        ):
            with pytest.raises(KeyDestroyedError):
                use()
        assert vault.open("acme", "bob", "c", vault.seal("acme", "bob", "c", b"s")) == b"s"


class TestMemoryVault(VaultContract):
    @pytest.fixture
    def vault(self) -> Vault:
        return MemoryVault()


class TestSqliteVault(VaultContract):
    @pytest.fixture
    def vault(self, tmp_path: Path) -> Iterator[Vault]:
        with sqlite(tmp_path) as engine:
            yield SqlVault(engine, MASTER)


class TestPostgresVault(VaultContract):
    @pytest.fixture
    def vault(self) -> Iterator[Vault]:
        with postgres() as engine:
            yield SqlVault(engine, MASTER)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with sqlite(tmp_path) as engine:
        yield engine


def test_the_table_without_the_master_key_opens_nothing(engine: Engine, tmp_path: Path) -> None:
    sealed = SqlVault(engine, MASTER).seal("acme", "ada", "c", b"secret")
    assert SqlVault(engine, MASTER).open("acme", "ada", "c", sealed) == b"secret"
    with pytest.raises(ValueError, match="was changed"):
        SqlVault(engine, bytes(32)).open("acme", "ada", "c", sealed)


def test_a_wrapped_key_serves_its_subject_only(engine: Engine) -> None:
    vault = SqlVault(engine, MASTER)
    vault.mac("acme", "ada", b"")
    vault.mac("acme", "eve", b"")
    with engine.begin() as connection:
        connection.execute(
            text(
                "UPDATE subject_key SET wrapped = (SELECT wrapped FROM subject_key "
                "WHERE subject = 'ada') WHERE subject = 'eve'"
            )
        )
    with pytest.raises(ValueError, match="was changed"):
        SqlVault(engine, MASTER).mac("acme", "eve", b"")


def test_another_process_forgets_a_destroyed_key_in_time(engine: Engine) -> None:
    at = [0.0]
    clock: Callable[[], float] = lambda: at[0]  # noqa: E731
    there = SqlVault(engine, MASTER, clock)
    sealed = there.seal("acme", "ada", "c", b"secret")
    SqlVault(engine, MASTER).destroy("acme", "ada")
    assert there.open("acme", "ada", "c", sealed) == b"secret"
    at[0] = CACHED_S
    with pytest.raises(KeyDestroyedError):
        there.open("acme", "ada", "c", sealed)


@pytest.mark.parametrize("size", [0, 16, 31, 33])
def test_a_master_key_has_32_bytes(size: int) -> None:
    with pytest.raises(ValueError, match="make it 32"):
        Wrapping(bytes(size))
