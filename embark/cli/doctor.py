"""`embark doctor`: what works, what does not, and how to mend it."""

from __future__ import annotations

import platform
import socket
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated

import httpx
import typer
from rich.text import Text
from sqlalchemy import create_engine
from sqlalchemy.exc import DBAPIError

from embark.cli.output import ExitCode, emit, load, out
from embark.layers import ConfigurationError, tracing_variables
from embark.parts import encoder_is_converted, index_writer, open_library_of
from embark.periods import periods_of
from embark.redaction_parts import redaction_of
from embark.region_parts import check_regions, pin_of
from embark.settings import ModelSettings, Settings
from guardrails.regions import WrongRegionError
from guardrails.tenancy import is_above
from retrieval.index import NoIndexError, RetrievalError
from retrieval.types import FOR_ALL, LABEL_FIELDS, Labels

FLOORS = {
    "langchain-core": "1.2.22",
    "langchain-openai": "1.1.14",
    "langgraph": "1.0.10",
    "langgraph-checkpoint": "4.0.0",
    "langgraph-checkpoint-sqlite": "3.0.1",
    "starlette": "1.0.1",
    "h11": "0.16.0",
    "joserfc": "1.8.0",
    "transformers": "5.3.0",
    "torch": "2.6.0",
    "presidio-analyzer": "2.2.366",
    "qdrant-edge-py": "0.9.0",
}
"""Oldest versions without a known hole; advisories in docs/dependencies.md."""
REACH_TIMEOUT_S = 5.0


class State(StrEnum):
    OK = "ok"
    WARNING = "warning"
    RED = "red"


MARKS = {State.OK: ("ok  ", "green"), State.WARNING: ("warn", "yellow"), State.RED: ("RED ", "red")}


@dataclass(frozen=True, slots=True)
class Finding:
    """One check; `hint` says how to mend it where there is something to mend."""

    name: str
    state: State
    detail: str
    hint: str | None = None


def doctor(
    ctx: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Check this installation; exit 1 when something is red."""
    findings: list[Finding] = []
    for finding in _findings(ctx):
        findings.append(finding)
        if not as_json:
            _show(finding)
    healthy = all(finding.state is not State.RED for finding in findings)
    if as_json:
        emit({"ok": healthy, "checks": [asdict(finding) for finding in findings]})
    if not healthy:
        raise typer.Exit(ExitCode.FAILED)


def _show(finding: Finding) -> None:
    mark, style = MARKS[finding.state]
    out.print(Text.assemble((mark, style), f"  {finding.name}: {finding.detail}"))
    if finding.hint:
        out.print(Text(f"      mend: {finding.hint}", style="dim"))


def _findings(ctx: typer.Context) -> Iterator[Finding]:
    yield _python()
    yield _versions()
    yield _tracing()
    try:
        loaded = load(ctx)
    except ConfigurationError as failure:
        yield Finding("configuration", State.RED, str(failure), "mend the lines above")
        return
    where = str(loaded.file) if loaded.file else "defaults; no embark.toml was found"
    hint = None if loaded.file else "embark init"
    yield Finding("configuration", State.OK if loaded.file else State.WARNING, where, hint)
    for check in CHECKS:
        yield check(loaded.settings)


def _python() -> Finding:
    found = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    return Finding("python", State.OK, found)  # an older one does not get as far as here


def _versions() -> Finding:
    old = [f"{name} {have} < {floor}" for name, floor in FLOORS.items() if (have := _below(name))]
    if old:
        hint = "pip install -r requirements.lock"
        return Finding("packages", State.RED, "; ".join(old), hint)
    return Finding("packages", State.OK, f"{len(FLOORS)} at or above their floors")


def _below(name: str) -> str | None:
    """The version that is installed, when it is below the floor."""
    try:
        have = version(name)
    except PackageNotFoundError:
        return "missing"
    return have if _numbers(have) < _numbers(FLOORS[name]) else None


def _numbers(text: str) -> tuple[int, ...]:
    plain = text.partition("+")[0]
    return tuple(int(part) for part in plain.split(".") if part.isdigit())


def _tracing() -> Finding:
    on = tracing_variables()
    if on:
        return Finding("tracing", State.RED, f"{on[0]} sends texts away", f"unset {on[0]}")
    return Finding("tracing", State.OK, "no text leaves through tracing")


def _data_dir(settings: Settings) -> Finding:
    folder = settings.data_dir
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return Finding("data folder", State.OK, str(folder))
    except OSError as failure:
        hint = "give this user the folder, or choose another: EMBARK_DATA_DIR"
        return Finding("data folder", State.RED, f"{folder}: {failure.strerror}", hint)


def _sources(settings: Settings) -> Finding:
    missing = [s.id for s in settings.sources if s.path is not None and not s.path.exists()]
    if missing:
        hint = "mend `path` of these sources"
        return Finding("sources", State.RED, f"not there: {', '.join(missing)}", hint)
    if not settings.sources:
        hint = "embark init DOCS_FOLDER, or embark index run DOCS_FOLDER"
        return Finding("sources", State.WARNING, "none configured", hint)
    return Finding("sources", State.OK, ", ".join(source.id for source in settings.sources))


def _encoder(settings: Settings) -> Finding:
    try:
        converted = encoder_is_converted(settings)
    except RetrievalError as failure:
        return Finding("encoder", State.RED, str(failure), "mend encoder.model, or take it out")
    if converted:
        return Finding("encoder", State.OK, "converted")
    hint = "embark index run converts it; until then the first command takes longer"
    return Finding("encoder", State.WARNING, "not converted yet", hint)


def _names(settings: Settings) -> Finding:
    try:
        masks = redaction_of(settings)
    except RetrievalError as failure:
        return Finding("names", State.RED, str(failure), "install Embark again")
    if masks.startswith("names-"):
        return Finding("names", State.OK, f"people, places and companies are masked ({masks})")
    detail = "only what has a shape is masked: names of people reach the model and the database"
    return Finding("names", State.WARNING, detail, 'set redaction.engine = "names"')


def _index(settings: Settings) -> Finding:
    try:
        with open_library_of(settings) as library, library.lease() as snapshot:
            return Finding(
                "index", State.OK, f"{snapshot.version}: {snapshot.index.count()} chunks"
            )
    except NoIndexError as failure:
        return Finding("index", State.RED, str(failure), "embark index run")
    except (RetrievalError, OSError) as failure:
        return Finding("index", State.RED, str(failure), "embark index status")


def _visitors(settings: Settings) -> Finding:
    """How much of the index somebody without an identity may see."""
    holds = settings.server.viewer
    try:
        with open_library_of(settings) as library, library.lease() as snapshot:
            seen = [_visible(chunk.labels, holds) for chunk in snapshot.chunks.chunks()]
    except (RetrievalError, OSError):
        return Finding("visitors", State.OK, "nothing to see yet")
    detail = f"they may see {sum(seen)} of {len(seen)} chunks"
    if seen and not any(seen):
        hint = 'server.viewer grants labels, such as {audience = ["user"], locale = ["en"]}'
        return Finding("visitors", State.WARNING, detail, hint)
    return Finding("visitors", State.OK, detail)


def _visible(labels: Labels, holds: Mapping[str, Sequence[str]]) -> bool:
    carried: list[tuple[str, Sequence[str]]] = [(f, getattr(labels, f)) for f in LABEL_FIELDS]
    return all(not {FOR_ALL, *holds.get(field, ())}.isdisjoint(has) for field, has in carried)


def _writer(settings: Settings) -> Finding:
    try:
        holder = index_writer(settings)
    except OSError as failure:
        return Finding("index lock", State.RED, str(failure), "mend the data folder")
    if holder is None:
        return Finding("index lock", State.OK, "free")
    return Finding("index lock", State.WARNING, f"held by {holder}", "wait until it is done")


def _databases(settings: Settings) -> Finding:
    """Whether they answer, and whether PostgreSQL keeps tenants apart for the role that we use."""
    named = {"database": settings.database.url, "actions": settings.actions.url}
    urls = {name: url.get_secret_value() for name, url in named.items() if url is not None}
    for name, url in urls.items():
        engine = create_engine(url)
        try:
            with engine.connect() as connection:
                above = is_above(connection)
        except DBAPIError as failure:
            hint = f"start it, or mend {name}.url"
            return Finding("databases", State.RED, f"{name}: {failure.orig}", hint)
        finally:
            engine.dispose()
        if above:
            detail = f"{name}: its role is above row security"
            hint = "use a role without SUPERUSER and BYPASSRLS"
            return Finding("databases", State.WARNING, detail, hint)
    return Finding("databases", State.OK, ", ".join(urls) or "SQLite in the data folder")


def _privacy(settings: Settings) -> Finding:
    try:
        check_regions(settings)
        days = periods_of(settings)
    except ConfigurationError as failure:
        hint = "mend the lines above; the server does not start before"
        return Finding("privacy", State.RED, str(failure), hint)
    where = f"everything stays in {settings.region}" if settings.region else "no region is set"
    return Finding("privacy", State.OK, f"{where}; the longest period is {max(days.values())} days")


def _model(settings: Settings) -> Finding:
    if settings.model is None:
        return Finding("model", State.OK, "none configured: answers are extractive")
    try:
        key = settings.model.key()
    except OSError as failure:
        hint = "put the key there, or set EMBARK_MODEL__API_KEY"
        return Finding("model", State.RED, f"key file: {failure}", hint)
    try:
        pin_of(settings).check(settings.model.base_url)
    except WrongRegionError as failure:
        return Finding("model", State.RED, str(failure), "it was not asked; until then none is")
    return _reached(settings.model, key)


def _reached(model: ModelSettings, key: str | None) -> Finding:
    address = f"{model.base_url.rstrip('/')}/models"
    headers = {"authorization": f"Bearer {key}"} if key else {}
    try:
        reply = httpx.get(address, headers=headers, timeout=REACH_TIMEOUT_S)
    except (httpx.HTTPError, httpx.InvalidURL) as failure:
        hint = "start it, or mend model.base_url; until then answers are extractive"
        return Finding("model", State.RED, f"{address}: {failure}", hint)
    if reply.status_code in {401, 403}:
        return Finding("model", State.RED, f"{address}: key refused", "set EMBARK_MODEL__API_KEY")
    return Finding("model", State.OK, f"{model.name} at {model.base_url}")


def _port(settings: Settings) -> Finding:
    place = (settings.server.host, settings.server.port)
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(*place, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as failure:
        hint = "a server may be running; else choose another: EMBARK_SERVER__PORT"
        return Finding("port", State.WARNING, f"{place[0]}:{place[1]}: {failure.strerror}", hint)
    return Finding("port", State.OK, f"{place[0]}:{place[1]} is free")


CHECKS: tuple[Callable[[Settings], Finding], ...] = (
    _data_dir,
    _sources,
    _encoder,
    _names,
    _index,
    _visitors,
    _writer,
    _databases,
    _privacy,
    _model,
    _port,
)
