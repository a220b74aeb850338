"""Nothing personal reaches a log line, through whichever field it is pushed."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from guardrails import stored
from guardrails.logging import Log, RedactStrings, open_log
from guardrails.patterns import PatternRedactor
from tests.contracts.redactor import PERSONAL, SECRETS

CANARIES = [value for _, value in PERSONAL + SECRETS]


def _lines(stream: io.BytesIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


@pytest.fixture
def stream() -> io.BytesIO:
    return io.BytesIO()


@pytest.fixture
def log(stream: io.BytesIO) -> Log:
    return open_log(stream)


def test_one_json_object_a_line(log: Log, stream: io.BytesIO) -> None:
    log.bind(thread_id="t-1").write("info", "answered", {"reason": "no_evidence"}, took_ms=3.5)
    (line,) = _lines(stream)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "level": "info",
        "event": "answered",
        "thread_id": "t-1",
        "reason": "no_evidence",
        "took_ms": 3.5,
    }


@pytest.mark.parametrize("canary", CANARIES)
def test_no_canary_leaves_through_any_field(log: Log, stream: io.BytesIO, canary: str) -> None:
    log.info("asked", text=stored(f"my value {canary} here"))
    log.bind(thread_id=canary).info("bound")
    log.write("error", "failed", {"reason": canary})
    log.info("named", **{f"field {canary}": 1})
    written = stream.getvalue().decode()
    assert len(_lines(stream)) == 4
    assert canary not in written
    assert json.dumps(canary)[1:-1] not in written


@pytest.mark.parametrize("canary", CANARIES)
def test_the_processor_reaches_every_depth(canary: str) -> None:
    event = {"a": {"b": [canary, (canary, {canary: 1})]}, "e": ValueError(canary), "c": {canary}}
    assert canary not in repr(RedactStrings(PatternRedactor())(None, "info", event))


def test_an_exception_is_logged_by_type_alone(log: Log, stream: io.BytesIO) -> None:
    log.error("failed", exc_info=ValueError("jana@firma.de"))  # type: ignore[arg-type]
    assert _lines(stream)[0]["exception"] == "ValueError"
    assert b"jana" not in stream.getvalue()


def test_a_body_under_a_code_name_is_withheld(log: Log, stream: io.BytesIO) -> None:
    log.write("info", "asked", {"reason": "tell me about my neighbour " * 9})
    assert _lines(stream)[0]["reason"] == "<WITHHELD>"


def test_unknown_names_are_refused(log: Log) -> None:
    with pytest.raises(ValueError, match="body are not identifiers"):
        log.bind(body="hello")
    with pytest.raises(ValueError, match="question are not identifiers"):
        log.write("info", "asked", {"question": "hello"})


def test_levels_below_the_chosen_one_are_silent(stream: io.BytesIO) -> None:
    log = open_log(stream, "warning")
    log.info("quiet")
    log.warning("loud")
    assert [line["event"] for line in _lines(stream)] == ["loud"]
