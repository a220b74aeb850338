"""A small set of development data in the form of the public ones, made by a seed."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

FIRST = ("Maria", "Peter", "Anna", "Jamal", "Ivo", "Chloé", "Kenji", "Olga", "Luis", "Priya")
LAST = ("Silva", "Novak", "Okafor", "Haddad", "Larsen", "Tanaka", "Costa", "Weber", "Rossi", "Khan")
TOWNS = ("Berlin", "Lisbon", "Oslo", "Lagos", "Kyoto", "Turin", "Quito", "Perth", "Graz", "Leeds")
FIRMS = ("Acme Inc", "Globex", "Initech", "Umbrella Corp", "Hooli", "Vehement", "Massive Dynamic")
PATTERNS = (
    "hi, im {P} from {L}", "Please invite {P} to the team", "{P} works for {O} in {L}.",
    "We are {O}, a firm in {L}", "ask {P} about the invoice", "{P} said that {L} is cold",
    "the ticket of {P} is late", "my name is {P}", "{O} bought the office in {L}",
    "thanks, {P}", "does {O} pay by card?", "send it to {P}, {L}",
)  # fmt: skip
TYPES = {"P": "PERSON", "L": "LOCATION", "O": "ORGANIZATION"}
WNUT = {"PERSON": "person", "LOCATION": "location", "ORGANIZATION": "corporation"}
PROSE = (
    "Open the Billing page and choose Invoices.",
    "Harbor Gateway forwards each Request to the Service.",
    "The Admin API is disabled unless you enable it.",
    "Use OpenID Connect or SAML for Single Sign On.",
)
ASKED = ("Where is my card?", "How do I top up?", "Why was I charged a fee?", "What is my PIN?")


def write_data(folder: Path, rows: int = 40) -> Path:
    """Every set that training reads, `rows` sentences for each pattern."""
    rng = Random(5)
    made = [(number, _row(pattern, rng)) for number, pattern in enumerate(PATTERNS * rows)]
    presidio = [{**row, "template_id": f"t{number % len(PATTERNS)}"} for number, row in made]
    wnut = [{**row, "spans": [_as_wnut(span) for span in row["spans"]]} for _, row in made]
    _write(folder / "pii_presidio" / "sentences.jsonl", presidio)
    _write(folder / "ner_wnut17" / "train.jsonl", wnut[: len(PATTERNS) * 4])
    _write(folder / "ner_wnut17" / "dev.jsonl", wnut[-len(PATTERNS) * 2 :])
    _write(folder / "intents_banking77" / "train.jsonl", [{"text": text} for text in ASKED])
    for name in ("kong_docs", "sendgrid_docs"):
        asked: dict[str, object] = {"text": f"What is a {name}?", "label": "answerable"}
        _write(folder / name / "queries.jsonl", [asked, {"text": "Ana?", "label": "unanswerable"}])
        for number in range(12):
            page = folder / name / "docs" / f"page{number}.md"
            page.parent.mkdir(parents=True, exist_ok=True)
            page.write_text(
                "# About\n\n"
                + " ".join(rng.sample(PROSE, 3))
                + f" This is the end of Page {number} of {name}."
            )
    return folder


def _row(pattern: str, rng: Random) -> dict[str, Any]:
    text, rest = "", pattern
    spans: list[dict[str, object]] = []
    while "{" in rest:
        before, _, rest = rest.partition("{")
        slot, _, rest = rest.partition("}")
        text += before
        value = _value(slot, rng)
        spans.append({"start": len(text), "end": len(text) + len(value), "type": TYPES[slot]})
        text += value
    return {"text": text + rest, "spans": spans}


def _value(slot: str, rng: Random) -> str:
    if slot == "P":
        return f"{rng.choice(FIRST)} {rng.choice(LAST)}"
    return rng.choice(TOWNS if slot == "L" else FIRMS)


def _as_wnut(span: dict[str, object]) -> dict[str, object]:
    return {**span, "type": WNUT[str(span["type"])]}


def _write(file: Path, rows: list[dict[str, object]]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
