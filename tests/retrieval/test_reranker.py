"""The rerankers: the packaged weights with the shipped difference, and their twin."""

from __future__ import annotations

import shutil
from importlib.resources import files
from pathlib import Path

import numpy as np
import orjson
import pytest
from typing_extensions import override

from guardrails import literal
from retrieval.encoding.convert import make_once
from retrieval.encoding.cross_encoder import CrossEncoderModule, packaged_folder, tuned
from retrieval.encoding.errors import ConversionError, ModelNotFoundError
from retrieval.encoding.source import sha256_of
from retrieval.memory import OverlapReranker
from retrieval.reranker import CrossEncoder, load_reranker
from retrieval.reranking import DELTA, RANK, pair_text
from retrieval.types import Reranker
from tests.contracts.reranker import ANSWERS, QUESTION, RerankerContract, chunk

SHIPPED = Path(str(files("retrieval"))) / "models" / DELTA


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("converted")


@pytest.fixture(scope="module")
def cross_encoder(cache: Path) -> CrossEncoder:
    return load_reranker(cache=cache, threads=1)


class TestCrossEncoder(RerankerContract):
    @pytest.fixture
    @override
    def reranker(self, cross_encoder: CrossEncoder) -> Reranker:
        return cross_encoder


class TestOverlapReranker(RerankerContract):
    @pytest.fixture
    @override
    def reranker(self) -> Reranker:
        return OverlapReranker()


def test_the_served_graph_scores_like_the_network(cross_encoder: CrossEncoder) -> None:
    import torch  # noqa: PLC0415 - seconds, and only here
    from transformers import AutoTokenizer  # noqa: PLC0415

    tokenizer = AutoTokenizer.from_pretrained(str(packaged_folder()))
    batch = tokenizer([str(QUESTION)], [str(pair_text(chunk(0, ANSWERS)))], return_tensors="pt")
    with torch.inference_mode():
        expected = float(tuned(SHIPPED)(**batch)[0])
    served = float(cross_encoder.scores(QUESTION, [chunk(0, ANSWERS)])[0])
    assert served == pytest.approx(expected, abs=0.1)


def test_the_difference_changes_the_weights_and_has_the_rank_it_says() -> None:
    before, after = CrossEncoderModule(packaged_folder()).state_dict(), tuned(SHIPPED).state_dict()
    name = "transformer.encoder.layer.5.output.dense.weight"
    difference = (after[name] - before[name]).numpy()
    assert np.abs(difference).max() > 0
    assert np.linalg.matrix_rank(difference, tol=1e-5) <= RANK


def test_the_shipped_difference_is_the_one_that_its_record_names() -> None:
    record = orjson.loads(SHIPPED.with_suffix(".json").read_bytes())
    assert record["sha256"] == sha256_of(SHIPPED)


def test_the_second_start_converts_nothing(cache: Path, cross_encoder: CrossEncoder) -> None:
    before = {f: f.stat().st_mtime_ns for f in cache.rglob("model.xml")}
    assert load_reranker(cache=cache).fingerprint == cross_encoder.fingerprint
    assert {f: f.stat().st_mtime_ns for f in cache.rglob("model.xml")} == before


def test_a_missing_difference_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError, match="fit_reranker"):
        load_reranker(cache=tmp_path, delta=tmp_path / "none.safetensors")


def test_a_damaged_difference_is_refused(tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.safetensors"
    shutil.copy(SHIPPED, damaged)
    damaged.write_bytes(damaged.read_bytes()[:1000])
    with pytest.raises(ConversionError, match="could not be converted"):
        load_reranker(cache=tmp_path / "cache", delta=damaged)


def test_a_folder_without_a_conversion_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError):
        CrossEncoder(tmp_path)


def test_a_module_that_fails_is_reported_with_its_last_words(tmp_path: Path) -> None:
    with pytest.raises(ConversionError, match="No module named"):
        make_once(tmp_path / "target", "retrieval.encoding.nothing", ())


def test_title_and_headings_are_read_before_the_text() -> None:
    assert pair_text(chunk(0, ANSWERS)) == f"Members > Limits\n{ANSWERS}"
    assert literal("Members") in pair_text(chunk(0, ANSWERS))
