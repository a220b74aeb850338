"""What a process remembers of what it heard goes, whatever else lives in the process."""

from __future__ import annotations

import weakref

from sqlalchemy import create_engine, text

from embark.rights import forget_heard


class _Gone:
    """What a proxy stood for."""


async def test_statements_are_forgotten_beside_proxies_of_what_is_gone() -> None:
    gone = _Gone()
    proxy = weakref.proxy(gone)
    del gone
    engine = create_engine("sqlite://")
    with engine.connect() as connection:
        connection.execute(text("SELECT 'canary'"))
    kept = engine._compiled_cache
    assert kept
    assert await forget_heard("t", "s") == 0
    assert not kept
    assert isinstance(proxy, weakref.ProxyType)
