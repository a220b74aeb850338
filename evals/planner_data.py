"""Public sets of tools and requests as one kind of lesson, split by tool so that parts are apart.

A lesson is a request, the tools that are offered with it, and the one that is meant or none.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from agent.acting.words import of_name
from evals.suites.tools import load_cases
from evals.suites.tools_catalogue import TOOLS, load_catalogue
from tools.types import Argument, EffectClass, Manifest, Tier

OFFERED = 20
"""Tools offered with a request of a set that has more."""
REQUESTS = 3
"""Of each tool of MetaTool; more say the same."""
_TYPES = {"dict": "object", "float": "number", "tuple": "array", "any": "string"}


@dataclass(frozen=True, slots=True)
class Lesson:
    """`folder` is of cases, whose world the request belongs to; empty for other sets."""

    source: str
    text: str
    tools: tuple[Manifest, ...]
    meant: str | None
    held_out: bool


def metatool(folder: Path) -> Iterator[Lesson]:
    """Every third tool is held out with its requests; 3 requests a tool."""
    tools = {r["tool"]: _tool(r["tool"], r["description"]) for r in _rows(folder / "tools.jsonl")}
    counts: dict[str, int] = {}
    for row in _rows(folder / "queries.jsonl"):
        name = row["tool"]
        counts[name] = counts.get(name, 0) + 1
        if counts[name] <= REQUESTS and name in tools:
            held = _held_out(name)
            same = [t for n, t in tools.items() if _held_out(n) == held and n != name]
            offered = (tools[name], *_drawn(same, row["query"], OFFERED - 1))
            yield Lesson("metatool", row["query"], offered, name, held)


def bfcl(folder: Path) -> Iterator[Lesson]:
    """Requests with two to four functions; held out by the name of the function."""
    for row in _rows(folder / "cases.jsonl"):
        gold = row["ground_truth"]
        offered = tuple(_function(f) for f in row["functions"])
        if row["category"] == "multiple" and gold and len(gold) == 1:
            name = next(iter(gold[0]))
            text = row["messages"][0][-1]["content"]
            yield Lesson("bfcl", text, offered, name, _held_out(name))


def dialogues(folder: Path) -> Iterator[Lesson]:
    """Turns of schema-guided dialogues that begin an intent; every third service is held out."""
    services = {r["service_name"]: r for r in _rows(folder / "services.jsonl")}
    tools = {
        name: [_intent(service, intent) for intent in service["intents"]]
        for name, service in services.items()
    }
    active: dict[str, str] = {}
    for row in _rows(folder / "turns.jsonl"):
        frame = row["frames"][0] if row["frames"] else None
        intent = frame["active_intent"] if frame else "NONE"
        begun = intent != "NONE" and active.get(row["dialogue_id"]) != intent
        active[row["dialogue_id"]] = intent
        if begun and frame:
            held = _held_out(frame["service"])
            same = tuple(t for s, ts in tools.items() if _held_out(s) == held for t in ts)
            meant = f"{frame['service']}_{intent}"
            yield Lesson("sgd", row["utterance"], same, meant, held)


def strangers(folder: Path, tools: tuple[Manifest, ...]) -> Iterator[Lesson]:
    """Requests of other worlds put to this catalogue: nothing of it does them."""
    for name, field, most in (
        ("intents_clinc150/val.jsonl", "text", 300),
        ("intents_webapps/train.jsonl", "text", 80),
        ("tools_metatool/needs_tool.jsonl", "query", 150),
    ):
        rows = [r for r in _rows(folder / name) if r.get("needs_tool") is not True]
        for row in _drawn(rows, name, most):
            yield Lesson("strangers", row[field], tools, None, _held_out(row[field]))


def cases(folder: Path) -> Iterator[tuple[Lesson, Any]]:
    """Own development cases, with the case: every third is held out."""
    tools = load_catalogue(folder / TOOLS)
    for case in load_cases(folder):
        held = _held_out(case.id)
        yield Lesson("own", case.turns[-1], tools, case.expected.tool, held), case


def _held_out(name: str) -> bool:
    return int(hashlib.sha256(name.encode()).hexdigest(), 16) % 3 == 0


def _drawn(rows: Sequence[Any], seed: str, most: int) -> list[Any]:
    """By hash: the same draw on every machine."""
    ranked = sorted(rows, key=lambda row: hashlib.sha256(f"{seed}{row}".encode()).hexdigest())
    return ranked[:most]


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    for line in path.read_bytes().splitlines():
        if line.strip():
            yield orjson.loads(line)


def _tool(name: str, description: str, schema: Mapping[str, Any] | None = None) -> Manifest:
    plain: Mapping[str, Any] = schema or {"type": "object", "properties": {}, "required": []}
    properties = plain.get("properties", {})
    return Manifest(
        name=name,
        version="1",
        title=of_name(name.replace("_", " ")).capitalize(),
        summary=description,
        source="python",
        target="elsewhere",
        schema=plain,
        arguments={n: Argument(of_name(n).capitalize()) for n in properties},
        tier=Tier.R1,
        effect=EffectClass.NATURAL,
    )


def _function(function: Mapping[str, Any]) -> Manifest:
    return _tool(function["name"], function["description"], _schema(function["parameters"]))


def _schema(node: Any) -> Any:
    """Python's names of types as JSON Schema's."""
    if isinstance(node, dict):
        kept = {k: _schema(v) for k, v in node.items() if k not in ("default", "optional")}
        kind = kept.get("type")
        return {**kept, "type": _TYPES.get(kind, kind)} if isinstance(kind, str) else kept
    return [_schema(each) for each in node] if isinstance(node, list) else node


def _intent(service: Mapping[str, Any], intent: Mapping[str, Any]) -> Manifest:
    named = {s["name"]: s for s in service["slots"]}
    used = [*intent["required_slots"], *intent["optional_slots"]]
    properties = {
        name: {"type": "string", "description": named[name]["description"]}
        | ({"enum": named[name]["possible_values"]} if named[name]["is_categorical"] else {})
        for name in used
        if name in named
    }
    schema = {
        "type": "object",
        "properties": properties,
        "required": [n for n in intent["required_slots"] if n in properties],
    }
    kind = re.sub(r"_\d+$", "", service["service_name"])
    about = f"{intent['description']} ({kind}: {service['description']})"
    made = _tool(f"{service['service_name']}_{intent['name']}", about, schema)
    title = of_name(intent["name"]).capitalize()
    return Manifest(**{**{f: getattr(made, f) for f in made.__slots__}, "title": title})
