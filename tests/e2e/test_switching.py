"""The composed product under load while its docs change: no question fails, none mixes versions."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from agent import Copilot, Message
from api import create_app
from embark.cli.serve import limits, site
from embark.indexing import Choice, open_workshop
from embark.settings import Settings
from embark.wiring import open_copilot
from ingest.sync import Outcome, silent
from tests.api.serving import Frame, ask, serving

USERS = 200
TALKATIVE = 40
"""Users who ask again until the last switch, so that every switch meets questions under way."""
SWITCHES = 3
TENANT = "acme"
TOPICS = ("invitation", "export", "webhook", "dashboard", "backup", "password")


def page(topic: str, edition: int) -> str:
    """A page of two chunks' worth of prose; every sentence that answers names its edition."""
    name = topic.capitalize()
    return (
        f"# {name} limits\n\n"
        f"Each {topic} expires after {10 * edition} days in edition {edition}.\n\n"
        f"## Renew the {topic}\n\n"
        f"Admins renew the {topic} in the panel of edition {edition}.\n"
    )


@dataclass(slots=True)
class Docs:
    """A folder of docs that is edited and published; remembers which version said what."""

    settings: Settings
    folder: Path
    editions: dict[str, int] = field(default_factory=dict)

    def publish(self, edition: int) -> None:
        self.folder.mkdir(exist_ok=True)
        for topic in TOPICS:
            (self.folder / f"{topic}.md").write_text(page(topic, edition), encoding="utf-8")
        with open_workshop(self.settings, Choice(), silent) as workshop:
            report = workshop.sync.run(workshop.feeds)
        assert report.outcome is Outcome.PUBLISHED
        assert report.version is not None
        self.editions[report.version] = edition


def docs_below(folder: Path) -> Docs:
    settings = Settings.model_validate(
        {
            "tenant": TENANT,
            "data_dir": folder / "data",
            "sources": [{"id": "docs", "path": folder / "docs"}],
            "encoder": {"backend": "hash"},
            "answer": {"threshold": 0.0},
            "server": {"streams_per_client": 2 * USERS},
        }
    )
    return Docs(settings, folder / "docs")


@asynccontextmanager
async def product_over(docs: Docs) -> AsyncIterator[tuple[Copilot, httpx.AsyncClient]]:
    """As `embark serve` composes it, on a port of its own."""
    settings = docs.settings
    async with open_copilot(settings) as product:
        library = product.finder.library
        app = create_app(product.copilot, library, site(settings, product), limits(settings))
        async with serving(app) as client, _many_at_once(client) as many:
            yield product.copilot, many


def _many_at_once(client: httpx.AsyncClient) -> httpx.AsyncClient:
    """The same server, as many connections as there are users."""
    none = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    return httpx.AsyncClient(base_url=client.base_url, limits=none, timeout=60, trust_env=False)


@dataclass(slots=True)
class Load:
    """Users who ask all at once, each question in a conversation of its own."""

    client: httpx.AsyncClient
    answered: asyncio.Event = field(default_factory=asyncio.Event)
    switched: asyncio.Event = field(default_factory=asyncio.Event)
    runs: dict[str, list[Frame]] = field(default_factory=dict)  # thread -> its frames

    async def user(self, number: int) -> None:
        """Ask; a talkative user goes on until the last switch, and asks once more after it."""
        for turn in itertools.count():
            last = self.switched.is_set() or number >= TALKATIVE
            thread = f"t{number}-{turn}"
            question = f"When does each {TOPICS[number % len(TOPICS)]} expire?"
            self.runs[thread] = await ask(self.client, text=question, thread=thread)
            self.answered.set()
            if last:
                return


@pytest.mark.alone
async def test_200_users_ask_while_the_index_switches(tmp_path: Path) -> None:
    docs = docs_below(tmp_path)
    docs.publish(1)
    async with product_over(docs) as (copilot, client):
        load = Load(client)
        async with asyncio.TaskGroup() as running:
            for number in range(USERS):
                running.create_task(load.user(number))
            await load.answered.wait()
            for edition in range(2, 2 + SWITCHES):
                await asyncio.to_thread(docs.publish, edition)
            load.switched.set()
        stored = {thread: await answer_of(copilot, thread) for thread in load.runs}
    assert len(load.runs) > USERS
    for thread, frames in load.runs.items():
        check_run(frames, stored[thread])
    seen = {check_answer(docs, answer) for answer in stored.values()}
    first, *_, last = sorted(docs.editions)
    assert {first, last} <= seen <= docs.editions.keys()


async def answer_of(copilot: Copilot, thread: str) -> Message:
    kept = await copilot.conversation(TENANT, thread)
    assert kept is not None
    question, answer = kept.messages
    assert answer.reply_to == question.message_id
    return answer


def check_run(frames: list[Frame], stored: Message) -> None:
    """The run ended well, and what was streamed is what is kept."""
    assert [frame.type for frame in frames].count("RUN_STARTED") == 1
    assert frames[-1].type == "RUN_FINISHED"
    text = "".join(f.data["delta"] for f in frames if f.type == "TEXT_MESSAGE_CONTENT")
    assert text == stored.text
    (end,) = [frame for frame in frames if frame.type == "TEXT_MESSAGE_END"]
    assert end.data["metadata"]["refused"] is False
    told = [citation["quote"] for citation in end.data["metadata"]["citations"]]
    assert told == [citation.quote for citation in stored.citations]


def check_answer(docs: Docs, answer: Message) -> str:
    """The one version that the answer cites; every quote is what that version's page says."""
    assert answer.citations
    (version,) = {citation.index_version for citation in answer.citations}
    assert answer.decision["index_version"] == version
    edition = docs.editions[version]
    for citation in answer.citations:
        assert citation.quote in page(Path(citation.path).stem, edition)
    assert f"edition {edition}" in answer.text
    return version
