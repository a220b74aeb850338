"""Who sees which tool; names, versions, namespaces; credentials in memory and in SQL."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import pytest
from pydantic import Field
from typing_extensions import override

from tests.tools.fleet.serving import WHO, depot
from tools.credentials import BearerToken, CredentialStore, MemoryCredentials
from tools.credentials_sql import SqlCredentials, prepare
from tools.python_tools import (
    Options,
    PythonToolError,
    Reversal,
    ToolFunction,
    python_tools,
    tool,
)
from tools.registry import DuplicateToolError, Registry
from tools.store.engine import open_engine, upgrade
from tools.tool import ForbiddenError, NotSentError, RejectedError, UncertainError
from tools.types import Actor, Argument, Attempt, Principal, Tier, ToolCall
from tools.vault_sql import SqlVault

NOW = datetime(2026, 11, 21, tzinfo=UTC)


def made(name: str = "greet", **options: object) -> ToolFunction:
    @tool(
        title="Greet",
        tier=Tier.R1,
        target="hall",
        arguments={"name": Argument("Name")},
        options=Options(name=name, **options),  # type: ignore[arg-type]
    )
    def greet(name: Annotated[str, Field(max_length=20)]) -> dict[str, str]:
        """Says hello."""
        if name == "crash":
            raise ZeroDivisionError
        if name == "refuse":
            raise RejectedError("rude", "not to you")
        return {"said": f"hello {name}"}

    return greet


def actor(*rights: str, plan: str = "") -> Actor:
    return Actor(WHO, frozenset(rights), plan=plan)


def test_only_what_a_person_may_use_is_there() -> None:
    tools = python_tools(
        [
            made("open"),
            made("guarded", rights=frozenset({"hall.greet"})),
            made("paid", plans=frozenset({"pro"})),
            made("ours", hidden=True),
        ]
    )
    registry = Registry(tools)
    seen = {
        (): {"open"},
        ("hall.greet",): {"open", "guarded"},
        ("other",): {"open"},
    }
    for rights, names in seen.items():
        assert {m.name for m in registry.for_actor(actor(*rights))} == names
    assert {m.name for m in registry.for_actor(actor(plan="pro"))} == {"open", "paid"}
    assert registry.tool_for("guarded", actor()) is None
    assert registry.tool_for("nothing", actor()) is None
    assert registry.tool_for("guarded", actor("hall.greet")) is not None
    assert {m.name for m in registry.manifests()} == {"open", "guarded", "paid", "ours"}


def test_one_name_one_tool() -> None:
    with pytest.raises(DuplicateToolError, match="greet comes from python and from python"):
        Registry([*python_tools([made()]), *python_tools([made()])])


def test_versions() -> None:
    (now,) = python_tools([made()])
    (old,) = python_tools([replace(made(), manifest=replace(made().manifest, version="old"))])
    registry = Registry([now], earlier=[old])
    assert registry.tool("greet") is now
    assert registry.tool("greet", "old") is old
    assert registry.tool("greet", "older") is None
    assert len(registry.manifests()) == 1


async def test_a_namespace_keeps_products_apart() -> None:
    async with depot() as place:
        names = {manifest.name for manifest in place.registry.manifests()}
        assert all(name.startswith("fleet_") for name in names)
        rename = place.tool("rename_project").manifest
        chosen = rename.arguments["project"].choices
        assert chosen is not None
        assert chosen.tool in names
        Registry([*place.opened.tools, *python_tools([made("create_project")])])
        assert {m.name for m in place.registry.for_actor(actor("announcements.send"))} == set()
        seen = place.registry.for_actor(actor("announcements.send", plan="pro"))
        assert {m.name for m in seen} == {"fleet_announce"}


# --- Python functions -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "kind", "code"),
    [("crash", UncertainError, "crashed"), ("refuse", RejectedError, "rude")],
)
async def test_functions_raise_tool_errors_only(name: str, kind: type, code: str) -> None:
    (greet,) = python_tools([made()])
    call = ToolCall("greet", greet.manifest.version, {"name": name})
    with pytest.raises(kind, match=code):
        await greet.run(call, WHO, Attempt("a1", 1, 1))


async def test_values_of_another_type_are_refused() -> None:
    (greet,) = python_tools([made()])
    call = ToolCall("greet", greet.manifest.version, {"name": "x" * 21})
    with pytest.raises(RejectedError, match="bad_argument") as refusal:
        await greet.run(call, WHO, Attempt("a1", 1, 1))
    assert "xxx" not in refusal.value.detail


def test_what_cannot_be_a_tool_is_told() -> None:
    def decorate(function: object, *labels: str) -> None:
        arguments = {label: Argument(label) for label in labels}
        tool(title="T", tier=Tier.R1, target="t", arguments=arguments)(function)  # type: ignore[arg-type]

    def untyped(a): ...  # type: ignore[no-untyped-def]
    def floating(a: float) -> None: ...
    def many(*a: int) -> None: ...
    def fine(a: int) -> None: ...

    for function, labels, message in (
        (untyped, ("a",), "a has no type"),
        (floating, ("a",), "Decimal"),
        (many, ("a",), "cannot be an argument"),
        (fine, (), "a has no label"),
        (fine, ("a", "b"), "b is no parameter"),
    ):
        with pytest.raises(PythonToolError, match=message):
            decorate(function, *labels)


def test_an_undo_must_be_there() -> None:
    alone = replace(
        made(),
        behaviour=replace(made().behaviour, undo=Reversal("ungreet", "Said.", lambda *_: {})),
    )
    with pytest.raises(PythonToolError, match="ungreet is not among"):
        python_tools([alone])


# --- credentials ------------------------------------------------------------------------------


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


class CredentialContract:
    """What every store of credentials keeps to."""

    @pytest.fixture
    def clock(self) -> Clock:
        return Clock()

    @pytest.fixture
    def credentials(self, clock: Clock, tmp_path: Path) -> Iterator[CredentialStore]:
        yield MemoryCredentials(clock)

    async def test_each_person_has_their_own(self, credentials: CredentialStore) -> None:
        await credentials.store(WHO, "harbor", BearerToken("mine"))
        assert await credentials.headers(WHO, "harbor") == {"Authorization": "Bearer mine"}
        for other in (
            WHO._replace(subject="u2"),
            WHO._replace(tenant="t2"),
        ):
            with pytest.raises(ForbiddenError, match="not_signed_in"):
                await credentials.headers(other, "harbor")
        with pytest.raises(ForbiddenError):
            await credentials.headers(WHO, "fleet")

    async def test_the_newest_counts(self, credentials: CredentialStore) -> None:
        await credentials.store(WHO, "fleet", BearerToken("old"))
        await credentials.store(WHO, "fleet", BearerToken("new", None, "X-Api-Key", ""))
        assert await credentials.headers(WHO, "fleet") == {"X-Api-Key": "new"}

    async def test_an_old_one_does_not(self, credentials: CredentialStore, clock: Clock) -> None:
        await credentials.store(WHO, "harbor", BearerToken("x", NOW + timedelta(minutes=5)))
        assert await credentials.headers(WHO, "harbor")
        clock.now += timedelta(minutes=5)
        with pytest.raises(ForbiddenError, match="not_signed_in"):
            await credentials.headers(WHO, "harbor")

    async def test_forgetting(self, credentials: CredentialStore) -> None:
        other = WHO._replace(subject="u2")
        for who, target in ((WHO, "a"), (WHO, "b"), (other, "a"), (other, "b")):
            await credentials.store(who, target, BearerToken("x"))
        assert await credentials.forget(WHO, "a") == 1
        assert await credentials.forget(WHO) == 1
        assert await credentials.forget(WHO) == 0
        assert await credentials.count(WHO.tenant, "b") == 1
        assert await credentials.revoke_all("t2", "b") == 0
        assert await credentials.revoke_all(WHO.tenant, "b") == 1
        assert await credentials.headers(other, "a")

    @pytest.mark.parametrize("token", ["", "a\r\nX-Evil: 1", "ä", "x" * 20_000])
    async def test_what_no_header_carries(self, credentials: CredentialStore, token: str) -> None:
        with pytest.raises(ValueError, match="printable ASCII") as refusal:
            await credentials.store(WHO, "harbor", BearerToken(token))
        assert token == "" or token not in str(refusal.value)


class TestMemory(CredentialContract):
    pass


class TestSql(CredentialContract):
    @pytest.fixture
    def file(self, tmp_path: Path) -> Path:
        return tmp_path / "journal.sqlite"

    @pytest.fixture
    @override
    def credentials(self, clock: Clock, tmp_path: Path) -> Iterator[CredentialStore]:
        engine = open_engine(f"sqlite:///{tmp_path / 'journal.sqlite'}")
        upgrade(engine)
        prepare(engine)
        prepare(engine)  # nothing happens
        self.vault = SqlVault(engine, b"k" * 32)
        yield SqlCredentials(engine, self.vault, clock)
        engine.dispose()

    async def test_nothing_lies_in_the_clear(
        self, credentials: CredentialStore, file: Path
    ) -> None:
        await credentials.store(WHO, "harbor", BearerToken("canary-4711"))
        written = b"".join(part.read_bytes() for part in file.parent.iterdir() if part.is_file())
        assert b"user_credential" in written
        assert b"canary-4711" not in written

    async def test_an_erased_person_has_none(self, credentials: CredentialStore) -> None:
        await credentials.store(WHO, "harbor", BearerToken("x"))
        self.vault.destroy(WHO.tenant, WHO.subject)
        with pytest.raises(ForbiddenError, match="not_signed_in"):
            await credentials.headers(WHO, "harbor")

    async def test_no_database_is_not_sent(self, tmp_path: Path, clock: Clock) -> None:
        engine = open_engine(f"sqlite:///{tmp_path / 'empty.sqlite'}")
        store = SqlCredentials(engine, SqlVault(engine, b"k" * 32), clock)
        with pytest.raises(NotSentError, match="credentials_unavailable"):
            await store.headers(Principal("t", "s", ""), "harbor")
        engine.dispose()
