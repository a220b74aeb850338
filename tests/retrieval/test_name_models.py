"""Models of others run in our workers; one that is not here is said at the start."""

from __future__ import annotations

import pytest
import spacy
import torch
from transformers import AutoTokenizer, BertConfig, BertForTokenClassification

from guardrails.names.pool import NamePool, PoolPolicy
from guardrails.types import Span
from retrieval.encoding.errors import ModelNotFoundError
from retrieval.name_models import TransformersTagger, check, run

TEXT = "Ana Diaz of Acme is in Lima"
PATIENT = PoolPolicy(block_s=20.0, wait_s=60.0, start_s=60.0)


@pytest.fixture(scope="module")
def spacy_model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Rules instead of weights: what is ours is how it is asked."""
    nlp = spacy.blank("en")
    ruler = nlp.add_pipe("entity_ruler")
    patterns = {"PERSON": "Ana Diaz", "ORG": "Acme", "GPE": "Lima", "CARDINAL": "of"}
    ruler.add_patterns([{"label": k, "pattern": v} for k, v in patterns.items()])  # type: ignore[attr-defined]
    folder = tmp_path_factory.mktemp("spacy") / "model"
    nlp.to_disk(folder)
    return str(folder)


@pytest.fixture(scope="module")
def transformers_model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Tiny, and sure that every token is a person."""
    folder = tmp_path_factory.mktemp("transformers")
    (folder / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]))
    labels = {0: "O", 1: "B-PER", 2: "I-PER"}
    config = BertConfig(vocab_size=5, hidden_size=8, num_hidden_layers=1, num_attention_heads=1,
                        intermediate_size=8, id2label=labels)  # fmt: skip
    model = BertForTokenClassification(config)
    with torch.no_grad():
        model.classifier.bias.copy_(torch.tensor([-9.0, -9.0, 9.0]))
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(str(folder)).save_pretrained(folder)
    return str(folder)


def test_a_spacy_pipeline_finds_names_in_a_worker(spacy_model: str) -> None:
    check("spacy", spacy_model)
    with NamePool(run, ("spacy", spacy_model), PATIENT) as pool:
        found = [(TEXT[s.start : s.end], s.type) for s in pool.find(TEXT)]
    assert found == [("Ana Diaz", "PERSON"), ("Acme", "ORGANIZATION"), ("Lima", "LOCATION")]


def test_a_transformers_model_finds_names_with_offsets_of_the_text(transformers_model: str) -> None:
    check("transformers", transformers_model)
    tagger = TransformersTagger(transformers_model)
    assert list(tagger.find(TEXT)) == [Span(0, len(TEXT), "PERSON", 0.55)]
    assert list(tagger.find("  ")) == []


@pytest.mark.parametrize(
    ("kind", "model"),
    [("spacy", "en_core_web_none"), ("spacy", "no such"), ("transformers", "nobody/nothing")],
)
def test_a_model_that_is_not_here_is_said(kind: str, model: str) -> None:
    with pytest.raises(ModelNotFoundError, match=model):
        check(kind, model)
