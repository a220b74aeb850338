"""settings -> archive, feeds and gate: the write side of the index, composed.

A folder named on the command line is an ad-hoc source: it is read again by later runs, until it
is empty or gone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random

from embark import __version__
from embark.layers import ConfigurationError
from embark.parts import index_folder, make_redactor, open_encoder, open_stores, tags_of
from embark.settings import Settings, SourceSettings
from guardrails import Redactor
from ingest import FolderSource, GitSource, SitemapSource, Source, find_rules
from ingest.gate import GOLDEN_FILE, Gate, Golden, read_golden
from ingest.plans import Feed, Progress, feed_of
from ingest.sync import Sync
from retrieval.archive import Archive
from retrieval.index import IndexUnavailableError

_SAMPLE_SEED = 20  # any fixed number: a gate that is asked twice must say the same twice


@dataclass(frozen=True, slots=True)
class Choice:
    """Which sources a command is about: a folder, one configured source, or all."""

    path: Path | None = None
    source: str | None = None

    @property
    def everything(self) -> bool:
        return self.path is None and self.source is None


@dataclass(frozen=True, slots=True)
class Workshop:
    """What `embark index plan|run` works with."""

    sync: Sync
    feeds: Sequence[Feed]
    archive: Archive


@contextmanager
def open_archive(settings: Settings) -> Iterator[Archive]:
    """Version folders, or collections of a Qdrant server where one is named."""
    with ExitStack() as closing:
        yield _archive(settings, closing)


@contextmanager
def open_workshop(settings: Settings, choice: Choice, progress: Progress) -> Iterator[Workshop]:
    """Raises ConfigurationError, RulesError and GoldenError before anything is read."""
    with ExitStack() as closing:
        archive = _archive(settings, closing)
        redactor = make_redactor(settings)
        feeds = feeds_of(settings, choice, _remembered(archive), redactor)
        encoder = open_encoder(settings)
        gate = Gate(encoder, golden=_golden(settings, choice, feeds, redactor))
        sync = Sync(
            archive,
            encoder,
            gate,
            clock=lambda: datetime.now(UTC),
            rng=Random(_SAMPLE_SEED),
            progress=progress,
        )
        yield Workshop(sync, feeds, archive)


def feeds_of(
    settings: Settings, choice: Choice, remembered: Mapping[str, str], redactor: Redactor
) -> list[Feed]:
    """The feeds that `choice` means; `remembered` are ad-hoc sources of earlier runs, with folders.

    Raises ConfigurationError when it means none, or one that does not exist.
    """
    configured = {source.id: source for source in settings.sources}
    folders = {name: Path(place) for name, place in remembered.items() if name not in configured}
    if choice.path is not None:
        return [_named(settings, choice.path, choice.source, folders, redactor)]
    known = [*configured, *folders]
    if not known:
        raise ConfigurationError(
            [
                "there is no source to index: run `embark index run PATH`, "
                "or name your docs in embark.toml (`embark init` writes one)"
            ]
        )
    if choice.source is not None and choice.source not in known:
        raise ConfigurationError(
            [f"there is no source {choice.source!r}; known: {', '.join(known)}"]
        )
    wanted = known if choice.source is None else [choice.source]
    return [
        _configured(settings, configured[name], redactor)
        if name in configured
        else _ad_hoc(settings, name, folders[name], redactor)
        for name in wanted
    ]


def source_id(folder: Path) -> str:
    """A source id made of a folder's name: lower case, `-` for what an id may not hold."""
    slug = re.sub(r"[^a-z0-9_]+", "-", folder.name.lower()).strip("-_")[:63]
    return slug or "docs"


def _named(
    settings: Settings,
    path: Path,
    name: str | None,
    folders: Mapping[str, Path],
    redactor: Redactor,
) -> Feed:
    folder = path.resolve()
    for source in settings.sources:
        if source.kind == "folder" and source.path and source.path.resolve() == folder:
            return _configured(settings, source, redactor)
    name = name or source_id(folder)
    taken = folders.get(name, folder) != folder or any(s.id == name for s in settings.sources)
    if taken:
        raise ConfigurationError(
            [f"the source {name!r} is another folder; name this one with --source ID"]
        )
    return _ad_hoc(settings, name, folder, redactor)


def _ad_hoc(settings: Settings, name: str, folder: Path, redactor: Redactor) -> Feed:
    feed = feed_of(
        FolderSource(name, folder),
        settings.tenant,
        redactor,
        labels=find_rules(folder),
        redaction=_redaction(settings),
    )
    return replace(feed, folder=str(folder))


def _configured(settings: Settings, source: SourceSettings, redactor: Redactor) -> Feed:
    beside = find_rules(source.path) if source.kind == "folder" and source.path else None
    return feed_of(
        _source(source),
        settings.tenant,
        redactor,
        labels=source.labels or beside,
        redaction=_redaction(settings),
    )


def _source(source: SourceSettings) -> Source:
    if source.kind == "sitemap":
        return SitemapSource(source.id, source.url or "")
    place = source.path or Path()
    if source.kind == "git":
        return GitSource(
            source.id,
            place,
            ref=source.ref or "HEAD",
            folder=source.subdir,
            base_url=source.base_url,
        )
    return FolderSource(source.id, place / source.subdir, base_url=source.base_url)


def _redaction(settings: Settings) -> str:
    """A new release or engine may redact differently, so pages are read again."""
    engine = "presidio" if settings.redaction.engine == "presidio" else "patterns"
    return f"{engine} {__version__}"


def _golden(
    settings: Settings, choice: Choice, feeds: Sequence[Feed], redactor: Redactor
) -> tuple[Golden, ...]:
    """The file that is set, for a run of all sources, else those beside the folders of this run."""
    if settings.index.golden is not None and choice.everything:
        return read_golden(settings.index.golden, redactor)
    names = {feed.source.id for feed in feeds}
    roots = [source.path for source in settings.sources if source.id in names and source.path]
    roots += [Path(feed.folder) for feed in feeds if feed.folder is not None]
    beside = {folder / GOLDEN_FILE for root in roots for folder in (root, root.parent)}
    files = sorted(path for path in beside if path.is_file())
    return tuple(item for file in files for item in read_golden(file, redactor))


def _remembered(archive: Archive) -> Mapping[str, str]:
    try:
        current = archive.current()
        return {} if current is None else archive.manifest(current).folders
    except IndexUnavailableError:  # damaged; the run itself says so, and how to mend it
        return {}


def _archive(settings: Settings, closing: ExitStack) -> Archive:
    if settings.index.kind == "server":
        from retrieval.collections import CollectionArchive  # one of two engines

        client, engine = open_stores(settings, closing)
        return CollectionArchive(client, engine, tags_of(settings), index_folder(settings))
    from retrieval.folder_archive import FolderArchive  # the other engine

    return FolderArchive(index_folder(settings), tags_of(settings))
