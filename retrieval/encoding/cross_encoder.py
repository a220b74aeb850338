"""The reranker's network in torch: for training, and for the one conversion after an install."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import torch
from safetensors.torch import load_file
from transformers import AutoModel
from typing_extensions import override

from retrieval.encoding.source import PACKAGED, resolve


def packaged_folder() -> Path:
    """The checked weights that the difference applies to."""
    return resolve(PACKAGED, allow_download=False)


class CrossEncoderModule(torch.nn.Module):
    """Question and passage in one sequence -> one logit: high when the passage answers."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.transformer: Any = AutoModel.from_pretrained(str(folder), local_files_only=True)
        self.head = torch.nn.Linear(2 * self.transformer.config.hidden_size, 1)
        torch.nn.init.normal_(self.head.weight, std=0.02)
        torch.nn.init.zeros_(self.head.bias)

    @override
    def forward(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor,
        token_type_ids: torch.Tensor,
    ) -> torch.Tensor:
        """Shape (pairs, tokens) each -> (pairs,). First token and mean of tokens are read."""
        output = self.transformer(
            input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids
        )
        hidden = cast("torch.Tensor", output.last_hidden_state)
        mask = attention_mask.unsqueeze(-1).to(hidden.dtype)
        mean = (hidden * mask).sum(1) / mask.sum(1)
        return cast("torch.Tensor", self.head(torch.cat([hidden[:, 0], mean], -1)).squeeze(-1))


def tuned(delta: Path) -> CrossEncoderModule:
    """The packaged weights plus the difference in `delta` (see `evals/fit_reranker.py`)."""
    model = CrossEncoderModule(packaged_folder())
    kept = {name: tensor.float() for name, tensor in load_file(delta).items()}
    state = model.state_dict()
    for name, weight in state.items():
        if name.startswith("head."):
            state[name] = kept[name]
        elif f"{name}.left" in kept:
            state[name] = weight + kept[f"{name}.left"] @ kept[f"{name}.right"]
        elif name in kept:
            state[name] = weight + kept[name]
    model.load_state_dict(state)
    return model.eval()
