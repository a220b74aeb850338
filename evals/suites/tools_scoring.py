"""Outcomes of the tool-routing suite -> figures, per tool and over all, beside plain baselines."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import numpy as np

from agent.acting.profiles import Profiles, profiles
from agent.acting.routing import Heard, heard
from agent.acting.vectors import TextVectors
from agent.acting.words import of_name
from evals.suites.tools import Case
from evals.suites.tools_running import Bench, Outcome, offered, run_case, same_arguments
from retrieval.types import Encoder
from tools.types import Argument, EffectClass, Manifest, Tier

TRIALS = 4
"""Of pass^k: how often each case is run; all have to be right."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Of one run of one case. `whole`: tool, arguments, and nothing asked that was said."""

    tool: bool
    whole: bool


def judged(outcome: Outcome) -> Verdict:
    """Against what the case expects; for no action both are that none was started."""
    wanted = outcome.case.expected
    if not wanted.acts:
        return Verdict(not outcome.acts, not outcome.acts)
    tool = outcome.tool == wanted.tool if wanted.tool else outcome.acts
    if wanted.ask is not None:
        known = wanted.arguments or {}
        kept = same_arguments(known, {k: outcome.arguments.get(k) for k in known})
        return Verdict(tool, tool and outcome.asked == wanted.ask and kept)
    same = same_arguments(outcome.arguments, wanted.arguments or {})
    return Verdict(tool, tool and outcome.asked is None and same)


def distractors() -> tuple[Manifest, ...]:
    """Tools of other products, from `distractors.toml`."""
    text = (files("evals.suites") / "distractors.toml").read_text("utf-8")
    return tuple(_distractor(entry) for entry in tomllib.loads(text)["tool"])


def _distractor(entry: Mapping[str, Any]) -> Manifest:
    names: list[str] = entry["arguments"]
    return Manifest(
        name=entry["name"],
        version="1",
        title=entry["title"],
        summary="",
        source="elsewhere",
        target="elsewhere",
        schema={
            "type": "object",
            "properties": {name: {"type": "string"} for name in names},
            "required": list(names[:1]),
        },
        arguments={name: Argument(of_name(name).capitalize()) for name in names},
        tier=Tier.R2,
        effect=EffectClass.ONCE,
        phrases=tuple(entry["phrases"]),
    )


async def measured(
    cases: Sequence[Case], tools: Sequence[Manifest], bench: Bench, encoder: Encoder
) -> dict[str, Any]:
    """The whole document of figures."""
    more = (*tools, *distractors())
    plain = await _trials(cases, tools, bench, "plain")
    crowded = await _trials(cases, more, bench, "crowded", trials=1)
    return {
        "planner": bench.planner.name,
        "cases": len(cases),
        "tools": len(tools),
        "distractors": len(more) - len(tools),
        "catalogue": _figures([run[0] for run in plain], plain),
        "with_distractors": _figures([run[0] for run in crowded], crowded),
        "baselines": {
            "catalogue": _baselines(cases, tools, encoder),
            "with_distractors": _baselines(cases, more, encoder),
        },
        "per_tool": _grouped([run[0] for run in plain], lambda o: [str(o.case.expected.tool)]),
        "per_tag": _grouped([run[0] for run in plain], lambda o: list(o.case.tags)),
    }


async def _trials(
    cases: Sequence[Case],
    tools: Sequence[Manifest],
    bench: Bench,
    name: str,
    trials: int = TRIALS,
) -> list[list[Outcome]]:
    """For each case its runs, each in a conversation of its own."""
    return [
        [await run_case(case, tools, bench, f"{name}{trial}-") for trial in range(trials)]
        for case in cases
    ]


def _figures(first: Sequence[Outcome], runs: Sequence[Sequence[Outcome]]) -> dict[str, Any]:
    acting = [o for o in first if o.case.expected.tool is not None and not o.case.expected.ask]
    asking = [o for o in first if o.case.expected.ask is not None]
    idle = [o for o in first if not o.case.expected.acts]
    every = [all(judged(o).whole for o in run) for run in runs]
    return {
        "tool": _share([judged(o).tool for o in acting]),
        "tool_and_arguments": _share([judged(o).whole for o in acting]),
        "asks_right": _share([judged(o).whole for o in asking]),
        "false_action": _share([o.acts for o in idle]),
        "pass^1": _share([judged(o).whole for o in first]),
        f"pass^{max(len(run) for run in runs)}": _share(every),
    }


def _baselines(
    cases: Sequence[Case], tools: Sequence[Manifest], encoder: Encoder
) -> dict[str, Any]:
    """Which tool alone, always one: BM25 over what is said of a tool, and the encoder's cosine of
    its title with description."""
    acting = [c for c in cases if c.expected.tool is not None]
    hits: dict[str, list[bool]] = {"bm25": [], "encoder": []}
    made: dict[tuple[str, ...], Profiles] = {}
    vectors = TextVectors(encoder)
    for case in acting:
        mine = offered(tools, case.world)
        names = tuple(tool.name for tool in mine)
        if names not in made:
            made[names] = profiles(mine, vectors)
        among = made[names]
        said = heard(case.turns[-1], encoder)
        for name, found in (("bm25", _by_words(said, among)), ("encoder", _by_cosine(said, among))):
            hits[name].append(found == case.expected.tool)
    return {name: {"tool": _share(found)} for name, found in hits.items()}


def _by_words(said: Heard, among: Profiles) -> str:
    scores = [among.bm25(said.stems, profile) for profile in among.tools]
    return among.tools[int(np.argmax(scores))].manifest.name


def _by_cosine(said: Heard, among: Profiles) -> str:
    scores = [float(profile.body_vector @ said.vector) for profile in among.tools]
    return among.tools[int(np.argmax(scores))].manifest.name


def _grouped(outcomes: Sequence[Outcome], keys: Callable[[Outcome], list[str]]) -> dict[str, Any]:
    groups: dict[str, list[Verdict]] = {}
    for outcome in outcomes:
        for key in keys(outcome):
            groups.setdefault(key, []).append(judged(outcome))
    return {
        key: {
            "n": len(found),
            "tool": _share([v.tool for v in found])["value"],
            "whole": _share([v.whole for v in found])["value"],
        }
        for key, found in sorted(groups.items())
    }


def _share(hits: Sequence[bool]) -> dict[str, Any]:
    return {"value": sum(hits) / len(hits) if hits else None, "n": len(hits)}
