from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import JsonValue

from agent import Ask
from agent.prompts import prompt_version
from embark import __version__, wiring
from embark.layers import ConfigurationError, UnreachableError, load_settings
from embark.settings import Settings
from embark.wiring import EVEN_ODDS, open_copilot, threshold_of
from guardrails import GroundingPolicy
from retrieval.linear import LinearModel, load_model
from retrieval.memory import HashEncoder
from retrieval.types import Scope
from tests.embark.project import run


@pytest.mark.parametrize(
    ("risk", "expected"), [(0.02, 0.9), (0.03, 0.9), (0.05, 0.7), (0.5, 0.7), (0.01, 0.9)]
)
def test_the_threshold_is_chosen_by_risk(
    monkeypatch: pytest.MonkeyPatch, risk: float, expected: float
) -> None:
    fitted = LinearModel((), (), (), (), 0.0, {"thresholds": [[0.02, 0.9], [0.05, 0.7]]})
    monkeypatch.setattr(wiring, "load_model", lambda package, name: fitted)
    assert threshold_of(Settings.model_validate({"answer": {"risk": risk}})) == expected


def test_a_model_without_a_table_answers_at_even_odds(monkeypatch: pytest.MonkeyPatch) -> None:
    bare = LinearModel((), (), (), (), 0.0, {})
    monkeypatch.setattr(wiring, "load_model", lambda package, name: bare)
    assert threshold_of(Settings()) == EVEN_ODDS


def test_a_set_threshold_wins() -> None:
    assert threshold_of(Settings.model_validate({"answer": {"threshold": 0.3}})) == 0.3


def staff(settings: Settings) -> Scope:
    return Scope(settings.tenant, unrestricted=True)


async def test_conversations_outlive_the_product(indexed: Path) -> None:
    settings = load_settings().settings
    async with open_copilot(settings) as product:
        asked = Ask(
            settings.tenant, "t1", "r1", "m1", "How do I invite teammates?", staff(settings)
        )
        events = [numbered.event async for numbered in product.copilot.ask(asked)]
        assert events
    async with open_copilot(settings) as again:
        kept = await again.copilot.conversation(settings.tenant, "t1")
    assert kept is not None
    assert [message.role for message in kept.messages] == ["user", "assistant"]


MADE_WITH = {
    "embark",
    "redaction",
    "encoder",
    "reranker",
    "ranking_model",
    "blend_model",
    "answerability_model",
    "grounding_policy",
}


async def decision_of(settings: Settings) -> Mapping[str, object]:
    """The stored record of one answer."""
    async with open_copilot(settings) as product:
        asked = Ask(settings.tenant, "t1", "r1", "m1", "How do I invite?", staff(settings))
        assert [numbered.event async for numbered in product.copilot.ask(asked)]
        kept = await product.copilot.conversation(settings.tenant, "t1")
    assert kept is not None
    return kept.messages[-1].decision


async def test_a_stored_decision_names_what_it_was_made_with(indexed: Path) -> None:
    decision = await decision_of(load_settings().settings)
    encoder = HashEncoder()
    assert {name: decision[name] for name in MADE_WITH} == {
        "embark": __version__,
        "redaction": "patterns",
        "encoder": encoder.fingerprint,
        "reranker": "overlap",
        "grounding_policy": GroundingPolicy.fitted().digest,
        **{
            f"{name}_model": load_model("retrieval", name).digest
            for name in ("ranking", "blend", "answerability")
        },
    }
    assert "prompt_version" not in decision


async def test_a_decision_of_a_model_names_its_prompt(indexed: Path) -> None:
    down: JsonValue = {"base_url": "http://127.0.0.1:1/v1", "name": "m", "retries": 0}
    decision = await decision_of(load_settings(flags={"model": down}).settings)
    assert decision["prompt_version"] == prompt_version("answer")
    assert decision.keys() >= MADE_WITH


def test_a_model_fitted_anew_has_another_digest() -> None:
    model = load_model("retrieval", "ranking")
    assert model.digest == load_model("retrieval", "ranking").digest
    assert replace(model, bias=model.bias + 1e-9).digest != model.digest
    policy = GroundingPolicy.fitted()
    assert replace(policy, threshold=policy.threshold / 2).digest != policy.digest


def test_a_question_of_the_command_line_is_not_kept(indexed: Path) -> None:
    assert run("ask", "How do I invite teammates?").exit_code == 0
    assert not (indexed / "data" / "embark.sqlite").exists()
    assert not (indexed / "data" / "checkpoints.sqlite").exists()


async def test_tracing_that_sends_texts_away_stops_the_start(
    indexed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LANGSMITH_TRACING", "true")
    with pytest.raises(ConfigurationError, match="unset it"):
        async with open_copilot(load_settings().settings):
            pass


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("no such thing", ConfigurationError),
        ("nothere://h/d", ConfigurationError),
        ("sqlite:////no/such/folder/x.sqlite", UnreachableError),
    ],
)
async def test_a_database_that_cannot_be_used_is_named(
    indexed: Path, url: str, error: type[Exception]
) -> None:
    settings = load_settings(flags={"database.url": url}).settings
    with pytest.raises(error, match="database"):
        async with open_copilot(settings):
            pass


async def test_a_missing_key_file_is_a_mistake_of_the_configuration(indexed: Path) -> None:
    named: JsonValue = {"base_url": "http://127.0.0.1:1/v1", "name": "m", "api_key_file": "none"}
    settings = load_settings(flags={"model": named}).settings
    with pytest.raises(ConfigurationError, match="api_key_file"):
        async with open_copilot(settings):
            pass


async def test_a_model_that_is_down_leaves_the_extractive_answer(indexed: Path) -> None:
    down: JsonValue = {"base_url": "http://127.0.0.1:1/v1", "name": "m", "retries": 0}
    settings = load_settings(flags={"model": down}).settings
    async with open_copilot(settings, keep=False) as product:
        answer = await product.copilot.answer("How do I invite teammates?", staff(settings))
    assert not answer.refused
    assert answer.answerer == "extractive"
