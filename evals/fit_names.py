"""Fine-tune the packaged encoder to find names, and keep the difference, cut to a low rank.

Run by `embark train ner`. What is fitted, chosen and tested are disjoint parts of the data
(`guardrails/names/corpus.py`): sentences of one template are never in two of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import orjson
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer

from guardrails.names.augmentation import pools_of
from guardrails.names.corpus import Corpus, Labelled, Part, digest_of, of_part
from guardrails.names.lessons import Lessons, Mix
from guardrails.names.places import towns
from guardrails.names.scoring import selected, tested
from guardrails.names.tokens import Word, words_of
from guardrails.types import Span
from retrieval.encoding.cross_encoder import packaged_folder
from retrieval.encoding.names_network import NamesModule, difference, tuned
from retrieval.encoding.recipe import TOKENIZER
from retrieval.encoding.source import sha256_of
from retrieval.naming import (
    DELTA,
    LABELS,
    Window,
    labelled,
    names_in,
    plain_tokenizer,
    readable,
    windows_of,
)
from retrieval.types import Vector

SEED = 7
_IGNORED = -100
"""Label of tokens that do not begin a word."""
_LEANS = (-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0, 3.0)
_QUIET_ENOUGH = 0.985
"""Least share of sentences of documentation that must stay whole on the selection part."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to fit and for how long; chosen on the selection part."""

    epochs: int = 5
    rate: float = 1.5e-4
    batch: int = 32
    rank: int = 48
    addresses: bool = True
    """Whether a street address counts as a LOCATION."""
    mix: Mix = field(default_factory=Mix)


@dataclass(frozen=True, slots=True)
class Fitted:
    """The difference, and all that is said about it: hash of the data, seed, scores, versions."""

    delta: Mapping[str, torch.Tensor]
    meta: Mapping[str, Any]


Progress = Callable[[int, float, Mapping[str, float]], None]
"""Called after each epoch: its number from 1, the loss, F1 on the selection part by source."""


class Tagger:
    """The network in torch as a finder of names."""

    def __init__(self, model: NamesModule, lean: float = 0.0) -> None:
        self.model = model
        self.lean = lean
        self.tokenizer = plain_tokenizer(packaged_folder() / TOKENIZER)
        self._read: dict[str, tuple[Sequence[Word], Vector]] = {}

    def find(self, text: str) -> list[Span]:
        """Reads each text once, however often the lean is changed."""
        if text not in self._read:
            words = readable(text)
            self._read[text] = words, self.logits(words)
        return names_in(*self._read[text], self.lean)

    def logits(self, words: Sequence[Word]) -> Vector:
        windows = list(windows_of(words, self.tokenizer)) if words else []
        with torch.inference_mode():
            scores = [self.model(**_batch([window]))[0].float().numpy() for window in windows]
        return labelled(windows, scores, len(words))


def train(corpus: Corpus, plan: Plan, seed: int, progress: Progress) -> Fitted:
    """The last epoch, with the lean that does best on the selection part; the test part is only
    scored, after the difference was cut to its rank."""
    torch.manual_seed(seed)
    model = NamesModule(packaged_folder())
    for number, loss in enumerate(_epochs(model, corpus, plan, seed), start=1):
        progress(number, loss, selected(Tagger(model.eval()).find, corpus))
    delta = difference(model, plan.rank)
    tagger = Tagger(_restored(delta))
    tagger.lean, figures = _leaning(tagger, corpus)
    meta = {
        "labels": list(LABELS),
        "lean": tagger.lean,
        "data": digest_of([*corpus.labelled, *corpus.prose]),
        "sentences": {part.value: len(corpus.of_part(part)) for part in Part},
        "seed": seed,
        "plan": asdict(plan),
        "versions": {name: version(name) for name in ("torch", "transformers", "phonenumbers")},
        "selection": figures,
        "test": tested(tagger.find, corpus),
    }
    return Fitted(delta, meta)


def _restored(delta: Mapping[str, torch.Tensor]) -> NamesModule:
    """What will be served: the network after the difference went through its rank."""
    with TemporaryDirectory() as folder:
        return tuned(_saved(delta, Path(folder)))


def _saved(delta: Mapping[str, torch.Tensor], folder: Path) -> Path:
    save_file(dict(delta), folder / DELTA)
    return folder / DELTA


def write(fitted: Fitted, folder: Path) -> Path:
    """The difference and, beside it, what is said of it with its hash."""
    folder.mkdir(parents=True, exist_ok=True)
    file = _saved(fitted.delta, folder)
    meta = {**fitted.meta, "sha256": sha256_of(file)}
    file.with_suffix(".json").write_bytes(orjson.dumps(meta, option=orjson.OPT_INDENT_2) + b"\n")
    return file


def _leaning(tagger: Tagger, corpus: Corpus) -> tuple[float, Mapping[str, float]]:
    """The lean with the best mean F1 among those that leave documentation whole."""
    tried: list[tuple[float, float, dict[str, float]]] = []
    for lean in _LEANS:
        tagger.lean = lean
        figures = selected(tagger.find, corpus)
        named = [value for name, value in figures.items() if name != "prose"]
        tried.append((sum(named) / len(named), lean, figures))
    quietest = max(tried, key=lambda one: one[2]["prose"])
    fit = [one for one in tried if one[2]["prose"] >= _QUIET_ENOUGH] or [quietest]
    _, lean, figures = max(fit, key=lambda one: one[0])
    return lean, figures


def _epochs(model: NamesModule, corpus: Corpus, plan: Plan, seed: int) -> Iterator[float]:
    rng = Random(seed)
    fitted = of_part(corpus.labelled, Part.FIT)
    lessons = Lessons(fitted, of_part(corpus.prose, Part.FIT), pools_of(fitted, towns()), plan.mix)
    tokenizer = plain_tokenizer(packaged_folder() / TOKENIZER)
    for name, parameter in model.named_parameters():
        parameter.requires_grad = "embeddings" not in name or "token_type" in name
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=plan.rate, weight_decay=0.01)
    schedule: Any = None
    for _ in range(plan.epochs):
        model.train()
        steps = list(_batches(lessons.epoch(rng), tokenizer, plan.batch, rng))
        schedule = schedule or torch.optim.lr_scheduler.OneCycleLR(
            optimizer, plan.rate, total_steps=len(steps) * (plan.epochs + 1), pct_start=0.06
        )
        losses = [_step(model, one, optimizer, schedule, trained) for one in steps]
        yield float(np.mean(losses))


def _step(
    model: NamesModule,
    batch: tuple[Mapping[str, torch.Tensor], torch.Tensor],
    optimizer: torch.optim.Optimizer,
    schedule: Any,
    trained: Sequence[torch.nn.Parameter],
) -> float:
    inputs, truth = batch
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = model(**inputs)
    loss = torch.nn.functional.cross_entropy(
        logits.float().flatten(0, 1), truth.flatten(), ignore_index=_IGNORED
    )
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(trained, 1.0)
    optimizer.step()
    schedule.step()
    return float(loss.detach())


Example = tuple[Window, Sequence[int]]


def _batches(
    sentences: Sequence[Labelled], tokenizer: Tokenizer, size: int, rng: Random
) -> Iterator[tuple[Mapping[str, torch.Tensor], torch.Tensor]]:
    """Windows of about the same length together, in drawn order."""
    examples = [one for sentence in sentences for one in _examples(sentence, tokenizer)]
    examples.sort(key=lambda one: len(one[0].ids) + rng.random())
    groups = [examples[at : at + size] for at in range(0, len(examples), size)]
    rng.shuffle(groups)
    for group in groups:
        inputs = _batch([window for window, _ in group])
        truth = torch.full(inputs["input_ids"].shape, _IGNORED)
        for row, (window, labels) in enumerate(group):
            truth[row, list(window.heads)] = torch.tensor(list(labels))
        yield inputs, truth


def _examples(sentence: Labelled, tokenizer: Tokenizer) -> Iterator[Example]:
    words = words_of(sentence.text)
    labels = labels_of(words, sentence)
    for window in windows_of(words, tokenizer):
        yield window, labels[window.first : window.first + len(window.heads)]


def labels_of(words: Sequence[Word], sentence: Labelled) -> list[int]:
    """Index into LABELS of each word; a word that a name touches belongs to it."""
    labels = [0] * len(words)
    for name in sentence.names:
        inside = [at for at, w in enumerate(words) if w.start < name.end and name.start < w.end]
        for place, at in enumerate(inside):
            labels[at] = LABELS.index(f"{'I' if place else 'B'}-{name.type}")
    return labels


def _batch(windows: Sequence[Window]) -> Mapping[str, torch.Tensor]:
    shape = (len(windows), max(len(window.ids) for window in windows))
    ids, mask, cases = (torch.zeros(shape, dtype=torch.int64) for _ in range(3))
    for row, window in enumerate(windows):
        ids[row, : len(window.ids)] = torch.tensor(list(window.ids))
        mask[row, : len(window.ids)] = 1
        cases[row, : len(window.cases)] = torch.tensor(list(window.cases))
    return {"input_ids": ids, "attention_mask": mask, "token_type_ids": cases}
