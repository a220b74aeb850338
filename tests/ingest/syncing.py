"""A folder of docs, an archive, and a counting encoder: what tests of a build need."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

from typing_extensions import override

from guardrails import Redacted
from guardrails.patterns import PatternRedactor
from ingest import FolderSource
from ingest.gate import Gate, Golden
from ingest.plans import Feed, feed_of
from ingest.sync import RunOptions, Sync, SyncReport
from retrieval.folder_archive import FolderArchive
from retrieval.library import Snapshot
from retrieval.memory import HashEncoder
from retrieval.types import Vector
from retrieval.versions import EmbeddedLibrary
from tests.contracts.index import TAGS

TOPICS = ("invite", "import", "billing", "alerts", "dashboards", "security", "roles", "export",
          "webhooks", "templates")  # fmt: skip


class CountingEncoder(HashEncoder):
    """Remembers every passage that it was asked to embed."""

    def __init__(self, dimension: int = 64) -> None:
        super().__init__(dimension)
        self.passages: list[str] = []

    @override
    def encode_passages(self, texts: Sequence[Redacted]) -> Vector:
        self.passages.extend(texts)
        return super().encode_passages(texts)


class Bench:
    """Docs in `docs`, the index in `root`; every run is one minute after the last."""

    def __init__(self, folder: Path, *, encoder: CountingEncoder | None = None) -> None:
        self.docs, self.root = folder / "docs", folder / "index"
        self.docs.mkdir(exist_ok=True)
        self.encoder = encoder or CountingEncoder()
        self.archive = FolderArchive(self.root, TAGS)
        self.golden: tuple[Golden, ...] = ()
        self._now = datetime(2026, 5, 1, tzinfo=UTC)

    def write(self, path: str, text: str | bytes) -> None:
        file = self.docs / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text.encode() if isinstance(text, str) else text)

    def write_pages(self, topics: Sequence[str] = TOPICS) -> None:
        for topic in topics:
            self.write(f"{topic}.md", page(topic))

    def feed(self, name: str = "docs", folder: Path | None = None, tenant: str = "acme") -> Feed:
        return feed_of(FolderSource(name, folder or self.docs), tenant, PatternRedactor())

    def sync(self, clock: Callable[[], datetime] | None = None) -> Sync:
        return Sync(
            self.archive,
            self.encoder,
            Gate(self.encoder, golden=self.golden),
            clock=clock or self._tick,
            rng=Random(1),
        )

    def run(self, *feeds: Feed, **options: bool | float) -> SyncReport:
        chosen = RunOptions(**options)  # type: ignore[arg-type]
        return self.sync().run(feeds or (self.feed(),), chosen)

    @contextmanager
    def reading(self) -> Iterator[Snapshot]:
        library = EmbeddedLibrary(self.root, TAGS)
        try:
            with library.lease() as snapshot:
                yield snapshot
        finally:
            library.close()

    def _tick(self) -> datetime:
        self._now += timedelta(minutes=1)
        return self._now


def page(topic: str, extra: str = "") -> str:
    """A page of three sections, each long enough to be a chunk of its own."""
    body = f"The {topic} screen lists every {topic} item of the workspace with its owner. " * 4
    return (
        f"# {topic.title()}\n\nHow {topic} works in Harbor.\n\n"
        f"## Open {topic}\n\nOpen {topic} from the side bar. {body}\n\n"
        f"## Change {topic}\n\nChoose Edit to change {topic}. {body}\n\n"
        f"## Remove {topic}\n\nChoose Remove to delete {topic}. {body}{extra}\n"
    )
