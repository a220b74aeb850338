"""The shipped model of names: masks as every redactor does, in workers that may be killed."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path

import psutil
import pytest
from typing_extensions import override

from guardrails.names.pool import NamePool, PoolPolicy
from guardrails.names.redactor import NameRedactor
from guardrails.names.tokens import words_of
from retrieval.name_tagger import NameTagger, converted_names, run, shipped
from retrieval.naming import (
    CASES,
    DELTA,
    WINDOW,
    case_of,
    plain_tokenizer,
    readable,
    windows_of,
)
from tests.contracts.redactor import RedactorContract

NAMED = (
    ("Hello, my name is José Müller and I live in Berlin.", ("José Müller", "Berlin")),
    ("pls invite priya raman and tom okafor", ("priya raman", "tom okafor")),
    ("I work for Kestrel Dynamics in Lyon", ("Kestrel Dynamics", "Lyon")),
)
PLAIN = (
    "How do I invite my team to the workspace?",
    "The import of customers.csv failed with error 429",
    "Create a dashboard for weekly active users",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return converted_names(tmp_path_factory.mktemp("converted"))


@pytest.fixture(scope="module")
def tagger(folder: Path) -> NameTagger:
    return NameTagger(folder, shipped()["lean"], threads=1)


class TestNameRedactor(RedactorContract):
    stall_s = 2.0
    """In this process; a worker is killed after half a second, see `test_pool`."""

    @override
    @pytest.fixture
    def redactor(self, tagger: NameTagger) -> NameRedactor:
        return NameRedactor(tagger)


@pytest.mark.parametrize(("text", "names"), NAMED)
def test_masks_people_places_and_companies(
    tagger: NameTagger, text: str, names: tuple[str, ...]
) -> None:
    masked = NameRedactor(tagger).redact(text).text
    assert [name for name in names if name in masked] == []


@pytest.mark.parametrize("text", PLAIN)
def test_leaves_what_people_say_about_a_product_alone(tagger: NameTagger, text: str) -> None:
    assert NameRedactor(tagger).redact(text).text == text


def test_a_name_is_found_wherever_it_stands_in_a_long_text(tagger: NameTagger) -> None:
    filler = "The import of the file failed again, so the weekly report is empty. "
    for before in (0, 1, 12, 14, 15, 16, 17, 40):
        text = filler * before + "My name is Maria Silva and I am new. " + filler * 30
        found = [text[span.start : span.end] for span in tagger.find(text)]
        assert found == ["Maria Silva"], before


def test_the_served_graph_finds_what_the_network_in_torch_finds(tagger: NameTagger) -> None:
    from evals.fit_names import Tagger  # noqa: PLC0415 - torch: seconds, and only here
    from retrieval.encoding.names_network import tuned  # noqa: PLC0415

    delta = Path(str(files("retrieval"))) / "models" / DELTA
    in_torch = Tagger(tuned(delta), shipped()["lean"])
    for text, _ in NAMED:
        assert list(tagger.find(text)) == in_torch.find(text)


def test_windows_cover_every_word_and_none_is_too_long(folder: Path) -> None:
    tokenizer = plain_tokenizer(folder / "tokenizer.json")
    words = words_of("a" * 3000 + " supercalifragilistic " * 400 + "\n\U0001f600 " * 50)
    windows = list(windows_of(words, tokenizer))
    assert {w.first + at for w in windows for at in range(len(w.heads))} == set(range(len(words)))
    assert max(len(window.ids) for window in windows) <= WINDOW + 48 + 2


@pytest.mark.parametrize(
    ("word", "case"),
    [("berlin", "lower"), ("Berlin", "title"), ("NASA", "upper"), ("McKay", "mixed"),
     ("3", "digits"), ("-", "none"), ("J", "title"), ("q4", "lower")],
)  # fmt: skip
def test_cases_of_words(word: str, case: str) -> None:
    assert CASES[case_of(word)] == case


def test_what_ships_is_small_and_says_its_data_and_scores() -> None:
    file = Path(str(files("retrieval"))) / "models" / DELTA
    assert file.stat().st_size <= 15 * 2**20
    told = shipped()
    assert {"data", "seed", "versions", "test", "plan", "lean"} <= told.keys()
    assert told["test"]["presidio"]["overlap"]["PERSON"]["recall"] > 0.9


@pytest.fixture(scope="module")
def pool(folder: Path) -> Iterator[NamePool]:
    policy = PoolPolicy(workers=1, block_s=5.0, wait_s=30.0)
    with NamePool(run, [str(folder), str(shipped()["lean"])], policy) as opened:
        yield opened


def test_a_worker_finds_what_the_network_in_this_process_finds(
    pool: NamePool, tagger: NameTagger
) -> None:
    for text, _ in NAMED:
        assert list(pool.find(text)) == list(tagger.find(text))


def test_a_stopped_worker_is_killed_and_its_block_masked(pool: NamePool) -> None:
    """The kernel stops the real worker: it neither answers nor dies by itself."""
    pool.find("warm")
    (pid,) = pool.pids()
    os.kill(pid, signal.SIGSTOP)
    assert NameRedactor(pool).redact("I am José Müller").text == "<REDACTED>"
    _until(lambda: not psutil.pid_exists(pid))
    assert "Müller" not in NameRedactor(pool).redact("I am José Müller").text


def _until(holds: Callable[[], bool], timeout_s: float = 20) -> None:
    end = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < end, "did not come to hold"
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("text", "looked_at"),
    [
        ("J. R. R. Tolkien", "J . R . R . Tolkien"),
        ("a.a.a.a.a.a.a.a.a.a.a.a.", "a . a . a . a . a . a . a . a"),
        ("1 2 3 4 5 6 7 Maria", "1 2 3 4 Maria"),
        ("王 小 明 王 小 明 王 小 明", "王 小 明 王 小 明 王 小 明"),
        ("a a a a a a a a a a a a Maria Silva", "a a a a a a a a a a Maria Silva"),
    ],
)
def test_of_a_run_of_noise_the_first_few_words_are_looked_at(text: str, looked_at: str) -> None:
    assert " ".join(word.text for word in readable(text)) == looked_at
