"""settings -> who is let in: keys of widget tokens, sessions, quotas, staff."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from api import sessions_sql
from api.admission import Admission
from api.sessions import DeskPorts, SessionDesk, SessionStore
from api.sessions_memory import MemorySessions
from api.sessions_sql import SqlSessions
from api.staff import sessions_sql as staff_sql
from api.widget_tokens import KeyRecordError, TokenKey, WidgetTokens, read_key
from embark.layers import ConfigurationError, UnreachableError
from embark.quota_parts import is_shared, make_quotas, open_shared
from embark.settings import Settings
from embark.settings_people import TokenKeySettings, TokenSettings
from embark.staff_parts import open_staff


@asynccontextmanager
async def open_admission(settings: Settings) -> AsyncIterator[Admission]:
    """Until the context ends. Raises ConfigurationError, also for a key that must not be used, and
    UnreachableError."""
    tokens = settings.identity.tokens if settings.identity is not None else None
    async with AsyncExitStack() as closing:
        engine = _engine(settings, tokens, closing)
        quotas = make_quotas(
            settings, engine if is_shared(settings, settings.quotas.store) else None
        )
        desk = None if tokens is None else _desk(settings, tokens, engine)
        staff = await closing.enter_async_context(open_staff(settings, engine, quotas))
        yield Admission(desk, quotas, staff)


def read_keys(tenant: str, tokens: TokenSettings) -> WidgetTokens:
    """The verifier over every key. Raises ConfigurationError that names each bad one."""
    problems: list[str] = []
    keys: list[TokenKey] = []
    for position, each in enumerate(tokens.keys):
        try:
            keys.append(_key(tenant, each))
        except (KeyRecordError, OSError, UnicodeDecodeError) as failure:
            problems.append(f"identity.tokens.keys[{position}]: {_reason(failure)}")
    if problems:
        raise ConfigurationError(problems)
    try:
        return WidgetTokens(keys)
    except KeyRecordError as failure:
        raise ConfigurationError([f"identity.tokens.keys: {failure}"]) from failure


def _key(tenant: str, each: TokenKeySettings) -> TokenKey:
    return TokenKey(
        tenant=tenant,
        workspace=each.workspace,
        kid=each.kid,
        alg=each.alg,
        key=read_key(each.alg, each.key()),
        issuer=each.issuer,
        audience=each.audience,
        origins=frozenset(each.origins),
    )


def _reason(failure: Exception) -> str:
    """Never what the key is: a decoding error repeats its bytes."""
    return "the key file is not text" if isinstance(failure, UnicodeDecodeError) else str(failure)


def _desk(settings: Settings, tokens: TokenSettings, engine: Engine | None) -> SessionDesk:
    def now() -> datetime:
        return datetime.now(UTC)

    store: SessionStore = MemorySessions(since=now())
    if engine is not None and is_shared(settings, tokens.store):
        store = SqlSessions(engine)
    return SessionDesk(
        settings.tenant,
        read_keys(settings.tenant, tokens),
        store,
        {role: frozenset(rights) for role, rights in tokens.roles.items()},
        DeskPorts(now, secrets.token_bytes),
    )


def _engine(
    settings: Settings, tokens: TokenSettings | None, closing: AsyncExitStack
) -> Engine | None:
    """One engine for whatever is shared; None where nothing is."""
    stores = [settings.quotas.store, *([tokens.store] if tokens is not None else [])]
    stores += [settings.staff.store] if settings.staff.oidc is not None else []
    if not any(is_shared(settings, store) for store in stores):
        return None
    engine = open_shared(settings)
    closing.callback(engine.dispose)
    try:
        sessions_sql.prepare(engine)
        if settings.staff.oidc is not None:
            staff_sql.prepare(engine)
    except DBAPIError as failure:
        raise UnreachableError(f"the database of sessions: {failure.orig}") from failure
    return engine
