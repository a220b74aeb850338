"""The gate: each check fails for the fault it is there for, and for no other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from guardrails import stored
from guardrails.patterns import PatternRedactor
from ingest.gate import Gate, GatePolicy, GateReport, Golden, GoldenError, read_golden
from ingest.plans import Change, Plan, PlannedPage
from retrieval.archive import Draft
from retrieval.chunk_tables import write_file
from retrieval.manifest import PageRecord
from retrieval.memory import MemoryIndex
from retrieval.store import ChunkWriter, SqlChunkStore
from tests.retrieval.building import ENCODER, chunk_of, point_of

TOPICS = ("invite", "import", "billing", "alerts", "dashboards", "security")
CHUNKS = [chunk_of(topic, f"The {topic} screen explains how {topic} works.") for topic in TOPICS]


@pytest.fixture
def draft(tmp_path: Path) -> Iterator[Draft]:
    engine = write_file(tmp_path / "chunks.sqlite")
    index = MemoryIndex(ENCODER.dimension)
    index.upsert([point_of(chunk) for chunk in CHUNKS])
    made = Draft("v", index, SqlChunkStore(engine, "v"), ChunkWriter(engine, "v"))
    made.writer.put(CHUNKS)
    yield made
    engine.dispose()


def plan_of(chunks: int = len(CHUNKS)) -> Plan:
    record = PageRecord("docs", "all.md", "all", "acme", "digest", "rules", chunks)
    return Plan(None, (PlannedPage("docs", "all.md", Change.ADDED, record),), ())


def examine(draft: Draft, plan: Plan | None = None, *golden: Golden) -> GateReport:
    return Gate(ENCODER, golden=golden).examine(draft, plan or plan_of(), Random(0))


def failed(report: GateReport) -> list[str]:
    return [check.name for check in report.checks if not check.passed]


def test_a_good_draft_passes(draft: Draft) -> None:
    report = examine(draft)
    assert report.passed, report
    assert [check.name for check in report.checks] == [
        "counts",
        "consistency",
        "citations",
        "recall",
    ]


def test_a_lost_vector(draft: Draft) -> None:
    draft.index.delete([CHUNKS[0].id])
    report = examine(draft)
    assert set(failed(report)) >= {"counts", "consistency"}
    assert "invite#0" in report.checks[1].detail


def test_a_vector_of_older_text(draft: Draft) -> None:
    draft.index.upsert([replace(point_of(CHUNKS[0]), content_hash="older")])
    assert failed(examine(draft)) == ["consistency"]


def test_fewer_chunks_than_planned(draft: Draft) -> None:
    assert failed(examine(draft, plan_of(7))) == ["counts"]


def test_an_empty_version(draft: Draft) -> None:
    draft.index.delete([chunk.id for chunk in CHUNKS])
    draft.writer.drop()
    assert "counts" in failed(examine(draft, plan_of(0)))


@pytest.mark.parametrize(
    "change",
    [
        {"anchor": "two words"},
        {"anchor": "#hash"},
        {"anchor": ""},
        {"ordinal": 1},
        {"text": stored("  ")},
        {"doc_id": "elsewhere"},
    ],
)
def test_a_chunk_that_cannot_be_cited(draft: Draft, change: dict[str, object]) -> None:
    draft.writer.put([replace(CHUNKS[0], **change)])  # type: ignore[arg-type]
    report = examine(draft)
    assert "citations" in failed(report)
    assert CHUNKS[0].id in report.checks[2].detail


def test_golden_questions_that_no_longer_find_their_page(draft: Draft) -> None:
    right = Golden(stored("how do alerts work"), "alerts.md")
    assert examine(draft, None, right).passed
    policy = GatePolicy(depth=1)
    wrong = Golden(stored("how do alerts work"), "billing.md")
    report = Gate(ENCODER, policy, (right, wrong)).examine(draft, plan_of(), Random(0))
    assert failed(report) == ["recall"]
    assert "1 of 2 find their page" in report.checks[3].detail
    assert "how do alerts work" in report.checks[3].detail


def test_a_golden_question_whose_page_is_gone_counts_as_missed(draft: Draft) -> None:
    gone = Golden(stored("how do refunds work"), "refunds.md")
    assert failed(examine(draft, None, gone)) == ["recall"]


def test_vectors_that_were_swapped_are_noticed(draft: Draft) -> None:
    shuffled = [*CHUNKS[1:], CHUNKS[0]]
    draft.index.upsert(
        [
            replace(point_of(wrong), id=right.id, content_hash=right.content_hash)
            for right, wrong in zip(CHUNKS, shuffled, strict=True)
        ]
    )
    policy = GatePolicy(depth=1)
    report = Gate(ENCODER, policy).examine(draft, plan_of(), Random(0))
    assert failed(report) == ["recall"]


def test_golden_files_are_read_and_redacted(tmp_path: Path) -> None:
    path = tmp_path / "golden.jsonl"
    path.write_text(
        '{"id": "1", "text": "mail joe.bloggs@gmail.com how to invite", "path": "invite.md"}\n\n'
    )
    (item,) = read_golden(path, PatternRedactor())
    assert item.path == "invite.md"
    assert "joe.bloggs" not in item.text


@pytest.mark.parametrize("line", ["{", "[]", '{"text": "a"}', '{"text": 1, "path": "a.md"}'])
def test_a_broken_golden_file_names_its_line(tmp_path: Path, line: str) -> None:
    path = tmp_path / "golden.jsonl"
    path.write_text(f'{{"text": "a", "path": "a.md"}}\n{line}\n')
    with pytest.raises(GoldenError, match=r"golden\.jsonl:2"):
        read_golden(path, PatternRedactor())


def test_a_missing_golden_file(tmp_path: Path) -> None:
    with pytest.raises(GoldenError, match="cannot be read"):
        read_golden(tmp_path / "none.jsonl", PatternRedactor())
