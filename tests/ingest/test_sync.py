"""Incremental builds through the front door: what is embedded, kept, dropped, refused."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from guardrails import stored
from ingest.plans import Change, TooManyDeletionsError
from ingest.sync import Outcome
from ingest.types import SourceError
from retrieval.index import IndexUnavailableError
from retrieval.representation import sparse_query
from retrieval.types import Scope
from tests.ingest.syncing import TOPICS, Bench, CountingEncoder, page
from tests.retrieval.building import folder_in_memory


@pytest.fixture
def bench() -> Iterator[Bench]:
    with folder_in_memory() as folder:
        built = Bench(folder)
        built.write_pages()
        yield built


def test_a_first_run_publishes_every_page(bench: Bench) -> None:
    report = bench.run()
    assert report.outcome is Outcome.PUBLISHED
    assert report.plan.count(Change.ADDED) == len(TOPICS)
    with bench.reading() as snapshot:
        assert snapshot.version == report.version
        assert snapshot.index.count() == snapshot.chunks.count() == report.encoded
        first = snapshot.chunks.page("acme", "alerts")
        assert [chunk.ordinal for chunk in first] == list(range(len(first)))
        assert "side bar" in first[0].text + first[1].text
        assert dict(snapshot.index.hashes()) == {
            chunk.id: chunk.content_hash for chunk in snapshot.chunks.chunks()
        }


def test_an_unchanged_run_reads_no_page_and_makes_no_version(bench: Bench) -> None:
    first = bench.run()
    bench.encoder.passages.clear()
    again = bench.run()
    assert again.outcome is Outcome.UNCHANGED
    assert again.version == first.version
    assert again.plan.count(Change.UNCHANGED) == len(TOPICS)
    assert bench.encoder.passages == []
    assert len(bench.archive.status().records) == 1


def test_one_changed_page_embeds_only_its_changed_chunks(bench: Bench) -> None:
    bench.run()
    bench.encoder.passages.clear()
    bench.write("alerts.md", page("alerts", " Alerts can be muted for a day."))
    report = bench.run()
    assert report.plan.count(Change.CHANGED) == 1
    assert len(bench.encoder.passages) == report.encoded == 1
    assert "muted for a day" in bench.encoder.passages[0]
    with bench.reading() as snapshot:
        assert "muted for a day" in snapshot.chunks.page("acme", "alerts")[-1].text
        assert len(snapshot.chunks.page("acme", "billing")) > 1


def test_an_incremental_run_copies_a_version_that_is_being_read(bench: Bench) -> None:
    first = bench.run()
    with bench.reading() as leased:
        bench.write("alerts.md", page("alerts", " Alerts can be muted for a day."))
        second = bench.run()
        assert leased.version == first.version
        assert leased.index.count() == first.encoded
        assert "muted" not in leased.chunks.page("acme", "alerts")[-1].text
    assert second.encoded == 1
    with bench.reading() as snapshot:
        assert snapshot.version == second.version
        assert dict(snapshot.index.hashes()) == {
            chunk.id: chunk.content_hash for chunk in snapshot.chunks.chunks()
        }


def test_carried_vectors_are_those_of_a_full_build(bench: Bench) -> None:
    bench.run()
    bench.write("alerts.md", page("alerts", " Alerts can be muted for a day."))
    (bench.docs / "export.md").unlink()
    bench.write("new/export-again.md", page("export"))
    bench.run()
    with bench.reading() as snapshot:
        ids = sorted(snapshot.index.hashes())
        carried = {point.id: point for point in snapshot.index.vectors(ids)}
    bench.run(full=True)
    with bench.reading() as snapshot:
        assert sorted(snapshot.index.hashes()) == ids
        for point in snapshot.index.vectors(ids):
            before = carried[point.id]
            assert point.dense == pytest.approx(before.dense, abs=1e-6)
            assert (point.labels, point.path) == (before.labels, before.path)


def test_a_moved_page_is_not_embedded_again(bench: Bench) -> None:
    bench.run()
    bench.encoder.passages.clear()
    (bench.docs / "alerts.md").rename(bench.docs / "notices.md")
    report = bench.run()
    assert (report.plan.count(Change.ADDED), report.plan.count(Change.REMOVED)) == (1, 1)
    assert bench.encoder.passages == []
    with bench.reading() as snapshot:
        assert snapshot.chunks.page("acme", "alerts") == ()
        assert snapshot.chunks.page("acme", "notices")[0].path == "notices.md"
        hits = snapshot.index.search(
            bench.encoder.encode_query(stored("mute alerts")),
            sparse_query(stored("alerts")),
            Scope("acme", unrestricted=True),
            5,
        )
        assert "notices" in {hit.id.partition("#")[0] for hit in hits.dense}


def test_a_change_of_labels_reuses_vectors_and_takes_effect(bench: Bench) -> None:
    bench.run()
    bench.encoder.passages.clear()
    bench.write("alerts.md", f"---\nplan: pro\n---\n{page('alerts')}")
    report = bench.run()
    assert report.outcome is Outcome.PUBLISHED
    assert bench.encoder.passages == []
    question = bench.encoder.encode_query(stored("alerts"))
    with bench.reading() as snapshot:
        for holds, expected in ((frozenset({"pro"}), True), (frozenset({"free"}), False)):
            found = snapshot.index.search(
                question, sparse_query(stored("alerts")), Scope("acme", {"plan": holds}), 50
            )
            assert any(hit.id.startswith("alerts#") for hit in found.dense) is expected


def test_another_encoder_embeds_everything_and_keeps_the_old_version(bench: Bench) -> None:
    first = bench.run()
    bench.encoder = CountingEncoder(32)
    report = bench.run()
    assert report.outcome is Outcome.PUBLISHED
    assert report.encoded == first.encoded
    assert report.version is not None and first.version is not None
    assert report.version.split("_")[2] != first.version.split("_")[2]
    with bench.archive.writing():
        assert bench.archive.rollback(None, bench._tick()) == first.version


def test_a_broken_page_is_reported_and_keeps_its_last_good_version(bench: Bench) -> None:
    bench.run()
    bench.write("alerts.md", b"\xff\xfe\x00broken")
    bench.write("billing.md", page("billing", " Invoices are sent monthly."))
    bench.write("fresh.md", "---\nplan: [unclosed\n---\n# Fresh\n\nText.\n")
    report = bench.run()
    assert report.outcome is Outcome.PUBLISHED
    broken = {problem.path: problem for problem in report.plan.problems}
    assert set(broken) == {"alerts.md", "fresh.md"}
    assert broken["fresh.md"].line is not None
    assert report.plan.failed == 2
    assert [p.path for p in report.plan.pages if p.kept_after_error] == ["alerts.md"]
    with bench.reading() as snapshot:
        assert "side bar" in "".join(c.text for c in snapshot.chunks.page("acme", "alerts"))
        assert "sent monthly" in snapshot.chunks.page("acme", "billing")[-1].text
        assert snapshot.chunks.page("acme", "fresh") == ()
    again = bench.run()
    assert again.outcome is Outcome.UNCHANGED
    assert again.plan.failed == 2
    bench.run(full=True)
    with bench.reading() as snapshot:
        assert snapshot.chunks.page("acme", "alerts") != ()


def test_more_deletions_than_allowed_stop_the_run(bench: Bench) -> None:
    first = bench.run()
    for topic in TOPICS[:3]:
        (bench.docs / f"{topic}.md").unlink()
    with pytest.raises(TooManyDeletionsError, match=r"3 of 10 pages \(30%.*--prune"):
        bench.run()
    with bench.reading() as snapshot:
        assert snapshot.version == first.version
    report = bench.run(prune=True)
    assert report.plan.count(Change.REMOVED) == 3
    with bench.reading() as snapshot:
        assert snapshot.chunks.page("acme", TOPICS[0]) == ()


def test_deletions_within_the_ratio_need_no_word(bench: Bench) -> None:
    bench.run()
    for topic in TOPICS[:2]:
        (bench.docs / f"{topic}.md").unlink()
    assert bench.run().plan.count(Change.REMOVED) == 2
    (bench.docs / f"{TOPICS[2]}.md").unlink()
    assert bench.run(max_delete_ratio=0.5).outcome is Outcome.PUBLISHED


def test_a_source_that_vanished_changes_nothing(bench: Bench, tmp_path: Path) -> None:
    first = bench.run()
    with pytest.raises(SourceError):
        bench.run(bench.feed(folder=tmp_path / "nowhere"))
    with bench.reading() as snapshot:
        assert snapshot.version == first.version


def test_one_source_alone_leaves_the_others_as_they_are(bench: Bench, tmp_path: Path) -> None:
    runbooks = tmp_path / "runbooks"
    runbooks.mkdir()
    (runbooks / "restart.md").write_text(page("restart"))
    both = (bench.feed(), bench.feed("runbooks", runbooks))
    bench.run(*both)
    (runbooks / "restore.md").write_text(page("restore"))
    (bench.docs / "alerts.md").unlink()
    report = bench.run(both[1], everything=False)
    assert (report.plan.count(Change.ADDED), report.plan.count(Change.REMOVED)) == (1, 0)
    with bench.reading() as snapshot:
        assert {chunk.source for chunk in snapshot.chunks.chunks()} == {"docs", "runbooks"}
        assert snapshot.chunks.page("acme", "alerts") != ()
    full = bench.run(both[1], everything=False, full=True)
    with bench.reading() as snapshot:
        assert snapshot.version == full.version
        assert snapshot.chunks.page("acme", "alerts") != ()


def test_two_sources_with_a_page_of_one_name(bench: Bench, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "alerts.md").write_text(page("sirens"))
    report = bench.run(bench.feed(), bench.feed("other", other))
    assert [problem.path for problem in report.plan.problems] == ["alerts.md"]
    assert "source 'docs' already has" in report.plan.problems[0].message
    with bench.reading() as snapshot:
        assert snapshot.chunks.page("acme", "alerts")[0].source == "docs"


def test_twins_keep_apart_whichever_of_them_changes(bench: Bench) -> None:
    bench.write("alerts.txt", page("sirens"))
    bench.run()
    for path, topic in (("alerts.txt", "bells"), ("alerts.md", "lamps"), ("alerts.adoc", "horns")):
        bench.write(path, page(topic))
        report = bench.run()
        assert report.outcome is Outcome.PUBLISHED, report.gate
        assert report.plan.failed == 0
    with bench.reading() as snapshot:
        texts = {chunk.path: chunk.text for chunk in snapshot.chunks.chunks()}
    assert {path for path in texts if path.startswith("alerts")} == {
        "alerts.adoc",
        "alerts.md",
        "alerts.txt",
    }
    assert "lamps" in texts["alerts.md"]
    assert "bells" in texts["alerts.txt"]
    assert bench.run().outcome is Outcome.UNCHANGED


def test_plan_and_dry_run_write_nothing(bench: Bench) -> None:
    plan = bench.sync().plan([bench.feed()])
    assert plan.count(Change.ADDED) == len(TOPICS)
    assert plan.estimate.chunks == len(plan.put)
    assert plan.estimate.tokens > len(plan.put)
    assert not bench.root.exists()
    assert bench.run(dry_run=True).outcome is Outcome.PLANNED
    assert bench.archive.current() is None
    assert bench.encoder.passages == []


def test_a_refused_version_is_not_published(bench: Bench) -> None:
    first = bench.run()
    for topic in TOPICS:
        (bench.docs / f"{topic}.md").unlink()
    report = bench.run(prune=True)
    assert report.outcome is Outcome.REFUSED
    assert report.version == first.version
    with bench.reading() as snapshot:
        assert snapshot.version == first.version
    assert [record.state.value for record in bench.archive.status().records] == [
        "refused",
        "published",
    ]


def test_a_full_run_mends_a_damaged_version(bench: Bench) -> None:
    first = bench.run()
    assert first.version is not None
    (bench.root / first.version / "chunks.sqlite").write_bytes(b"not a database")
    with pytest.raises(IndexUnavailableError, match="--full"):
        bench.run()
    assert bench.run(full=True).outcome is Outcome.PUBLISHED
    with bench.reading() as snapshot:
        assert snapshot.version != first.version


def test_secrets_of_a_page_reach_neither_encoder_nor_index(bench: Bench) -> None:
    secret = "AKIAIOSFODNN7EXAMPLF"
    bench.write("keys.md", f"# Keys\n\nSet the key {secret} in the connector settings page.\n")
    report = bench.run()
    assert secret not in "".join(bench.encoder.passages)
    assert report.version is not None
    files = [path for path in (bench.root / report.version).rglob("*") if path.is_file()]
    assert all(secret.encode() not in path.read_bytes() for path in files)


@pytest.mark.alone
def test_a_thousand_unchanged_pages_take_less_than_two_seconds(bench: Bench) -> None:
    for number in range(1000):
        bench.write(f"many/page-{number}.md", f"# Page {number}\n\nText of page {number}.\n")
    bench.run()
    started = time.process_time()
    assert bench.run().outcome is Outcome.UNCHANGED
    assert time.process_time() - started < 2
