"""The network that finds names, in torch: for training, and for the one conversion.

The packaged encoder plus a low-rank difference, with a head over tokens. The encoder's vocabulary
knows no case; the case of each word comes in through the table of token types, which it leaves
unused.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import torch
from safetensors.torch import load_file
from transformers import AutoModel
from typing_extensions import override

from retrieval.encoding.cross_encoder import packaged_folder
from retrieval.naming import CASES, LABELS

_TYPES = "transformer.embeddings.token_type_embeddings.weight"


class NamesModule(torch.nn.Module):
    """Tokens with the case of their word -> logits of the labels."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.transformer: Any = AutoModel.from_pretrained(str(folder), local_files_only=True)
        width = self.transformer.config.hidden_size
        embeddings = self.transformer.embeddings
        cases = torch.nn.Embedding(len(CASES), width)
        with torch.no_grad():
            cases.weight.copy_(embeddings.token_type_embeddings.weight[:1].expand(len(CASES), -1))
        embeddings.token_type_embeddings = cases
        self.transformer.config.type_vocab_size = len(CASES)
        self.head = torch.nn.Linear(width, len(LABELS))
        torch.nn.init.normal_(self.head.weight, std=0.02)
        torch.nn.init.zeros_(self.head.bias)

    @override
    def forward(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor,
        token_type_ids: torch.Tensor,
    ) -> torch.Tensor:
        """Shape (texts, tokens) each -> (texts, tokens, labels)."""
        output = self.transformer(
            input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids
        )
        hidden = cast("torch.Tensor", output.last_hidden_state)
        return cast("torch.Tensor", self.head(hidden))


def tuned(delta: Path) -> NamesModule:
    """The packaged weights plus the difference in `delta` (`embark train ner`)."""
    model = NamesModule(packaged_folder())
    kept = {name: tensor.float() for name, tensor in load_file(delta).items()}
    state = model.state_dict()
    for name, weight in state.items():
        if name.startswith("head.") or name == _TYPES:
            state[name] = kept[name]
        elif f"{name}.left" in kept:
            state[name] = weight + kept[f"{name}.left"] @ kept[f"{name}.right"]
        elif name in kept:
            state[name] = weight + kept[name]
    model.load_state_dict(state)
    return model.eval()


def difference(model: NamesModule, rank: int) -> dict[str, torch.Tensor]:
    """Tuned less packaged weights: matrices as two factors of this rank, vectors as they are."""
    before = NamesModule(packaged_folder()).state_dict()
    kept: dict[str, torch.Tensor] = {}
    for name, weight in model.state_dict().items():
        delta = (weight - before[name]).float()
        if name.startswith("head.") or name == _TYPES:
            kept[name] = weight.half()
        elif delta.ndim > 1 and "embeddings" not in name:
            left, sizes, right = torch.linalg.svd(delta, full_matrices=False)
            kept[f"{name}.left"] = (left[:, :rank] * sizes[:rank]).half().contiguous()
            kept[f"{name}.right"] = right[:rank].half().contiguous()
        elif delta.ndim == 1 and "embeddings" not in name:
            kept[name] = delta.half()
    return kept
