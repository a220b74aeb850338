"""What a card shows reads back to exactly the value that is sent."""

from __future__ import annotations

import json
import os
import random
import unicodedata
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import JsonValue

from tests.tools.twins import SCHEMA, manifest
from tools.canonical import canonical, sha256
from tools.preview import DOTS, as_text, duration, render, shown, unshown
from tools.types import Arguments, Card, Principal, Target, Tier

CASES = int(os.environ.get("EMBARK_TEST_CARDS", "200"))
WHO = Principal("t", "ana", "acme")
TRICKY = (
    "\u202egnp.exe\u2066\u200b\u00a0\u3164\ufe0f\ue000\\u{202E}\\\\u{5C}"
    "\x00\x1b[2J\r\n\t\U000e0041é漢"
)

values = st.text(st.one_of(st.sampled_from(TRICKY), st.characters(exclude_categories=["Cs"])))


def card(arguments: Arguments, target: Target | None = None) -> Card:
    return render(manifest(), arguments, target or Target(), WHO, Tier.R1, {})


def read_back(value: str, schema: JsonValue) -> JsonValue:
    """The argument that a shown value stands for."""
    kind = schema.get("type") if isinstance(schema, dict) else None
    if kind == "string":
        return unshown(value)
    if kind == "array":
        head, *lines = value.split("\n")
        items: list[JsonValue] = [unshown(line) for line in lines]
        assert int(head.split()[0]) == len(items)
        return items
    parsed: JsonValue = json.loads(unshown(value))
    return parsed


@settings(max_examples=CASES)
@given(values)
def test_shown_text_reads_back_and_hides_nothing(text: str) -> None:
    seen = shown(text)
    assert unshown(seen) == text
    hidden = {char for char in seen if char not in "\n\t "}
    assert not any(unicodedata.category(c) in {"Cc", "Cf", "Co", "Cn", "Zl", "Zp"} for c in hidden)


@settings(max_examples=CASES)
@given(values, values)
def test_different_texts_never_look_alike_as_text(one: str, other: str) -> None:
    assert (shown(one) == shown(other)) == (one == other)


@pytest.mark.parametrize("text", [TRICKY, "plain", "C:\\users\\ana", "a\\u{41}", "\\", "\\u", ""])
def test_known_tricks_read_back(text: str) -> None:
    assert unshown(shown(text)) == text


def test_ordinary_text_is_shown_verbatim() -> None:
    for text in ("ana@acme.io", "C:\\temp", "Zoë Łódź 漢字", "line one\nline two", "5 > 4 & 'x'"):
        assert shown(text) == text


@settings(max_examples=CASES)
@given(
    st.fixed_dictionaries(
        {"name": values},
        optional={
            "members": st.lists(values, max_size=30),
            "role": st.sampled_from(["member", "admin"]),
            "count": st.integers(-(2**53) + 1, 2**53 - 1),
            "options": st.dictionaries(values, st.one_of(values, st.booleans(), st.none())),
        },
    )
)
def test_every_field_equals_its_argument(arguments: dict[str, JsonValue]) -> None:
    properties = SCHEMA["properties"]
    assert isinstance(properties, dict)
    fields = {field.name: field for field in card(arguments).fields}
    assert fields.keys() == arguments.keys()
    for name, value in arguments.items():
        assert read_back(fields[name].value, properties[name]) == value


def test_a_changed_argument_changes_its_field() -> None:
    """Mutation: no byte of an argument can change without its card."""
    rng = random.Random(7)
    first, last = "a@b.co", "c@d.co"
    texts = {"name": "Sales — Q3", "value": "ana@acme.io"}
    base: dict[str, JsonValue] = {**texts, "members": [first, last]}
    for _ in range(CASES):
        name = rng.choice(list(base))
        changed: dict[str, JsonValue] = {**base}
        if name == "members":
            changed[name] = [first, _mutated(last, rng)]
        else:
            changed[name] = _mutated(texts[name], rng)
        before, after = card(base).fields, card(changed).fields
        assert [f.name for f, g in zip(before, after, strict=True) if f != g] == [name]


def _mutated(text: str, rng: random.Random) -> str:
    at = rng.randrange(len(text))
    return text[:at] + rng.choice("\u0430\u0391\u200b\u202e x\x00\u00ad") + text[at:]


def test_nothing_of_a_secret_is_shown_not_even_its_length() -> None:
    for secret in ("x", "sk_live_" + "4" * 60):
        field = card({"name": "n", "key": secret}, Target({"key": "old"})).fields[1]
        assert (field.value, field.before, field.secret) == (DOTS, None, True)


def test_a_list_shows_count_and_hash_and_every_item() -> None:
    members: list[JsonValue] = [f"p{n}@acme.io" for n in range(40)]
    rendered = card({"name": "n", "members": members})
    field = rendered.fields[1]
    assert field.value.startswith("40 items, sha256 ")
    assert field.value.split("\n")[1:] == members
    assert rendered.count == 40
    assert rendered.list_hash == sha256(canonical(members))


def test_items_with_line_breaks_cannot_pose_as_two() -> None:
    one, two = as_text(["a\nb"], SCHEMA_LIST), as_text(["a", "b"], SCHEMA_LIST)
    assert one != two
    assert one.count("\n") == 1


SCHEMA_LIST: JsonValue = {"type": "array", "items": {"type": "string"}}


def test_text_and_number_differ_where_both_are_allowed() -> None:
    assert as_text("5", {"type": ["string", "integer"]}) != as_text(
        5, {"type": ["string", "integer"]}
    )


def test_before_stands_beside_after_and_what_others_wrote_is_neutralised() -> None:
    target = Target({"value": "old\u202e", "other": 1}, label="Acme\u202e")
    rendered = card({"name": "n", "value": "new"}, target)
    value = rendered.fields[1]
    assert (value.before, value.value) == ('"old\\u{202E}"', '"new"')
    assert rendered.who == "Acme\\u{202E} (account acme)"


def test_notes_say_what_weighs_more_and_what_cannot_be_undone() -> None:
    told = replace(manifest(), undo="", retry_for_s=1800)
    arguments: Arguments = {"name": "n", "role": "admin", "members": ["x"] * 26}
    target = Target(notes=("Everyone will see it.\u200b",), steps=("One", "Two"))
    rendered = render(told, arguments, target, WHO, Tier.R2, {"name": "your profile"})
    assert rendered.notes == (
        "Needs more care: more than 25 at once.",
        "Needs more care: Role gives administrator rights.",
        "This cannot be undone.",
        "If shop cannot do it now, it is tried again for up to 30 minutes.",
        "Everyone will see it.\\u{200B}",
    )
    assert rendered.steps == ("One", "Two")
    assert rendered.undo == ""
    assert rendered.fields[0].origin == "your profile"


def test_durations_read_like_words() -> None:
    assert [duration(s) for s in (45, 60, 1800, 3600, 86400)] == [
        "45 seconds",
        "1 minute",
        "30 minutes",
        "1 hour",
        "24 hours",
    ]
