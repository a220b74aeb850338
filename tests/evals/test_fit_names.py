"""From data to a difference that finds names: scored apart, served as it was trained."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from evals.fit_names import Fitted, Plan, labels_of, train, write
from guardrails.names.corpus import Corpus, Labelled, Part, digest_of
from guardrails.names.lessons import Mix
from guardrails.names.prose import read_corpus
from guardrails.names.tokens import words_of
from guardrails.types import Span
from retrieval.encoding.errors import DamagedModelError, ModelNotFoundError
from retrieval.name_tagger import converted_names, told_of
from retrieval.naming import LABELS
from tests.guardrails.names.data import write_data

PLAN = Plan(epochs=2, rate=5e-4, batch=8, rank=4, mix=Mix(chat=8, prose=4, questions=2))


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return read_corpus(write_data(tmp_path_factory.mktemp("data"), rows=2))


@pytest.fixture(scope="module")
def losses() -> list[float]:
    return []


@pytest.fixture(scope="module")
def fitted(corpus: Corpus, losses: list[float]) -> Fitted:
    return train(corpus, PLAN, 3, lambda _epoch, loss, _figures: losses.append(loss))


@pytest.fixture(scope="module")
def delta(fitted: Fitted, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(fitted, tmp_path_factory.mktemp("fitted"))


def test_it_learns_and_says_what_it_was_made_of(
    fitted: Fitted, corpus: Corpus, delta: Path, losses: list[float]
) -> None:
    assert losses[1] < losses[0]
    told = told_of(delta)
    assert told["data"] == digest_of([*corpus.labelled, *corpus.prose])
    assert (told["seed"], told["plan"]["rank"]) == (3, 4)
    assert told["test"].keys() == {"presidio", "wnut", "prose"}
    assert delta.stat().st_size < 2**20
    assert fitted.meta["lean"] == told["lean"]


def test_the_same_seed_makes_the_same_weights_and_another_seed_others(
    corpus: Corpus, fitted: Fitted
) -> None:
    again, other = (train(corpus, PLAN, seed, lambda *_: None) for seed in (3, 4))
    name = next(name for name in fitted.delta if name.endswith(".left"))
    assert np.array_equal(fitted.delta[name].numpy(), again.delta[name].numpy())
    assert not np.array_equal(fitted.delta[name].numpy(), other.delta[name].numpy())


def test_a_changed_file_is_refused_and_a_missing_one_said(delta: Path, tmp_path: Path) -> None:
    changed = tmp_path / delta.name
    changed.write_bytes(delta.read_bytes() + b"x")
    changed.with_suffix(".json").write_bytes(delta.with_suffix(".json").read_bytes())
    with pytest.raises(DamagedModelError, match=delta.name):
        converted_names(tmp_path, changed)
    with pytest.raises(ModelNotFoundError, match="train ner"):
        converted_names(tmp_path, tmp_path / "none.safetensors")


def test_a_word_that_a_name_touches_belongs_to_it() -> None:
    sentence = Labelled("Ann O'Neil's at X", (Span(0, 10, "PERSON", 1.0),), "x", Part.FIT)
    labels = [LABELS[at] for at in labels_of(words_of(sentence.text), sentence)]
    assert labels == ["B-PERSON", "I-PERSON", "I-PERSON", "I-PERSON", "O", "O", "O", "O"]
