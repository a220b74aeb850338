from __future__ import annotations

import asyncio
import io
import json
from pathlib import Path

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from embark.cli.batch import LineError, Question, Record, opened, question, questions, run_batch


def line(**record: object) -> bytes:
    return json.dumps(record, ensure_ascii=False).encode() + b"\n"


async def echo(asked: Question) -> Record:
    return {"id": asked.id, "text": asked.text}


def lines_out(captured: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(text) for text in captured.readouterr().out.split("\n")[:-1]]


def test_a_filter_takes_a_value_or_a_list() -> None:
    asked = question(line(id="a", text="t", filter={"plan": "growth", "role": ["admin", "owner"]}))
    assert asked.narrow == {
        "plan": frozenset({"growth"}),
        "role": frozenset({"admin", "owner"}),
    }


@pytest.mark.parametrize(
    ("data", "id", "says"),
    [
        (b"{\n", None, "not valid JSON"),
        (b"\n", None, "not valid JSON"),
        (b"\xff\xfe\n", None, "not valid JSON"),
        (b"[1]\n", None, "not a JSON object"),
        (line(text="t"), None, "`id` must be a string"),
        (line(id=7, text="t"), None, "`id` must be a string"),
        (line(id="a"), "a", "`text` must be a string"),
        (line(id="a", text=["t"]), "a", "`text` must be a string"),
        (line(id="a", text="t", filter="plan"), "a", "`filter` must be an object"),
        (line(id="a", text="t", filter={"colour": "red"}), "a", "unknown filter field 'colour'"),
        (line(id="a", text="t", filter={"tenant": "x"}), "a", "unknown filter field 'tenant'"),
        (line(id="a", text="t", filter={"plan": {"x": 1}}), "a", "filter field 'plan'"),
    ],
)
def test_a_bad_line_names_what_is_wrong(data: bytes, id: str | None, says: str) -> None:
    with pytest.raises(LineError, match=says) as caught:
        question(data)
    assert caught.value.id == id


def test_separators_inside_a_text_end_no_line() -> None:
    text = "one\u2028two\x0bthree\x85four\rfive"
    (only,) = questions(
        io.BytesIO(json.dumps({"id": "a", "text": text}, ensure_ascii=False).encode())
    )
    assert isinstance(only, Question)
    assert only.text.split() == ["one", "two", "three", "four", "five"]


def test_a_byte_order_mark_is_no_part_of_the_first_line() -> None:
    (only,) = questions(io.BytesIO(b"\xef\xbb\xbf" + line(id="a", text="t")))
    assert isinstance(only, Question)


@given(st.lists(st.one_of(st.just(b"broken\n"), st.text().map(lambda t: line(id="i", text=t)))))
def test_one_record_for_every_line(data: list[bytes]) -> None:
    assert len(list(questions(io.BytesIO(b"".join(data))))) == len(data)


async def test_records_keep_the_order_of_lines_and_work_overlaps(
    capsys: pytest.CaptureFixture[str],
) -> None:
    under_way = most = 0

    async def slow_first(asked: Question) -> Record:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.02 if asked.id in "048" else 0)
        under_way -= 1
        return {"id": asked.id}

    file = io.BytesIO(b"".join(line(id=str(n), text="t") for n in range(9)))
    assert await run_batch(file, slow_first, at_once=3) == 0
    assert [record["id"] for record in lines_out(capsys)] == [str(n) for n in range(9)]
    assert most == 3


async def test_a_failed_line_is_reported_and_the_batch_goes_on(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async def picky(asked: Question) -> Record:
        if asked.text == "bad":
            raise LineError(asked.id, "no luck")
        return await echo(asked)

    file = io.BytesIO(line(id="1", text="bad") + b"{\n" + line(id="3", text="good"))
    assert await run_batch(file, picky, at_once=2) == 1
    first, second, third = lines_out(capsys)
    assert first == {"id": "1", "error": "no luck"}
    assert second["id"] is None
    assert set(second) == {"id", "error"}
    assert third == {"id": "3", "text": "good"}


async def test_an_empty_file_is_a_finished_batch(capsys: pytest.CaptureFixture[str]) -> None:
    assert await run_batch(io.BytesIO(b""), echo, at_once=2) == 0
    assert lines_out(capsys) == []


def test_a_file_that_is_not_there_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(typer.BadParameter, match="No such file"):
        opened(tmp_path / "none.jsonl")
