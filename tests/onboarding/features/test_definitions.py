"""Feature files: what is shipped, and what is wrong in others, with its place."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onboarding.events import SHIPPED as EVENTS
from onboarding.events import DataFileError, load_catalogue
from onboarding.features import SHIPPED, FeatureSet, load_features
from onboarding.features.compiling import SCALAR
from onboarding.features.formulas import FormulaError, parse, work_out
from onboarding.features.measures import MEASURES
from tests.onboarding.features.streams import HARBOR, features

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
TERMS = ("recent", "regular", "faster", "progress", "breadth", "errors")


def loaded(folder: Path, text: str, name: str = "own.yaml") -> FeatureSet:
    catalogue = load_catalogue(EVENTS, HARBOR / "events")
    (folder / name).write_text(text)
    return load_features(catalogue, SHIPPED, HARBOR / "features", folder)


def own(formula: str, more: str = "") -> str:
    return f'purpose: product_analytics\nfeatures:\n  mine: {{formula: "{formula}"{more}}}\n'


def problem(folder: Path, text: str, name: str = "own.yaml") -> str:
    with pytest.raises(DataFileError) as caught:
        loaded(folder, text, name)
    assert len(caught.value.problems) == 1, caught.value.problems
    return caught.value.problems[0].removeprefix(f"{folder}/")


def test_all_families_are_there() -> None:
    found = features()
    assert len(found.names) > 50
    assert {"velocity_1_7", "engagement", "members_28", "recovery_28", "hesitation"} <= {
        *found.names
    }
    assert all(feature.about for feature in found.features.values())


def test_the_hash_is_of_what_counts(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    first = loaded(tmp_path / "a", own("n(core, 7d)"))
    assert first.spec == loaded(tmp_path / "a", own("n(core, 7d)", ", about: Other words")).spec
    assert first.spec != loaded(tmp_path / "b", own("n(core, 8d)")).spec
    assert first.spec != features().spec


@pytest.mark.parametrize(
    ("formula", "told"),
    [
        ("n(core, 7d", "')' is missing"),
        ("n(core, 7d) +", "a term is missing"),
        ("n(core, 7d) 3", "'3' is too much"),
        ("n(core, 7d) ? 3", "'? 3' means nothing here"),
        ("m(core, 7d)", "there is no m(); known: abs"),
        ("n(kore, 7d)", "there is no class 'kore'; did you mean core?"),
        ("recovered(stps, 7d)", "there is no pairs 'stps'"),
        ("n(core)", "takes a window, such as 7d"),
        ("hours_since(core, 7d)", "takes no window"),
        ("n(core, 29d)", "at most 28d"),
        ("days(core, 36h)", "window of days"),
        ("n(core, any, 7d)", "takes 1 names, not 2"),
        ("sum(errors, rws, 7d)", "has a field 'rws'; did you mean rows?"),
        ("distinct(any, context.locale, 7d)", "is sensitive: no feature"),
        ("ln(1, 2)", "takes 1 to 1 terms, not 2"),
        ("engagment + 1", "there is no feature engagment; did you mean engagement?"),
    ],
)
def test_a_wrong_formula_has_its_place(tmp_path: Path, formula: str, told: str) -> None:
    found = problem(tmp_path, own(formula))
    assert found.startswith("own.yaml:3:10: ")
    assert told in found


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (own("mine + 1"), "made of itself: mine -> mine"),
        (own("n(core, 1d)", ", kind: category"), "a category is latest(class, field)"),
        (own("1").replace("product_analytics", "support"), "own.yaml:1:1: purpose"),
        (own("1").replace("mine", "engagement"), "engagement stands in"),
        (own("1", ", mising: 0"), "no such key"),
    ],
)
def test_a_wrong_feature_has_its_place(tmp_path: Path, text: str, told: str) -> None:
    assert told in problem(tmp_path, text)


def test_classes_name_events_that_there_are(tmp_path: Path) -> None:
    text = "classes: {errors: [Import Failed, Import Faild]}\n"
    found = problem(tmp_path, text, "classes.yaml")
    assert found.startswith("classes.yaml:1:35: classes.errors.1: ")
    assert "did you mean Import Failed?" in found


numbers = st.floats(-1e3, 1e3)


@given(x=numbers, y=numbers)
def test_arithmetic_is_pythons(x: float, y: float) -> None:
    def value(text: str) -> float:
        named = {"x": x, "y": y}
        result = work_out(parse(text, frozenset(MEASURES)), SCALAR, named.__getitem__, lambda _: 0)
        assert isinstance(result, float)
        return result

    assert value("x + y * 2 - -x / 4") == x + y * 2 - -x / 4
    assert value("(x - y) - x - y") == (x - y) - x - y
    assert value("clip(x, 0, 1)") == min(max(x, 0), 1)
    assert 0 <= value("sigmoid(x)") <= 1
    assert math.isnan(value("ln(0 - abs(x))"))
    assert math.isnan(value("x / 0"))
    assert value("or_else(x / 0, y)") == y


def test_a_window_needs_a_measure() -> None:
    with pytest.raises(FormulaError):
        parse("7d", frozenset(MEASURES))


@given(
    values=st.fixed_dictionaries(
        {
            "idle": st.floats(0, 400),
            "days": st.integers(0, 7),
            "progress": st.floats(-1, 2),
            "errors": st.integers(0, 20),
        }
    ),
    more=st.floats(0, 1),
)
def test_the_score_is_within_its_bounds_and_explained(
    values: dict[str, float], more: float
) -> None:
    """More progress never lowers it; its parts are its sum."""
    found = features()

    def score(progress: float) -> float:
        snapshot = found.values([states(values)], {}, NOW, {"progress": progress})
        result = float(snapshot.values["engagement"])
        parts = found.explain(snapshot.values)
        assert 0 <= result <= 100
        assert result == pytest.approx(min(100, max(0, sum(part.points for part in parts))))
        assert [part.term.removeprefix("engagement_") for part in parts] == list(TERMS)
        assert all(part.about for part in parts)
        return result

    assert score(values["progress"] + more) >= score(values["progress"])


def states(values: dict[str, float]) -> dict[str, object]:
    """Memories of somebody who did this."""
    now = int(NOW.timestamp()) // 3600
    last = NOW - timedelta(days=values["idle"])
    hours = [[now - 24 * day, 3] for day in reversed(range(int(values["days"])))]
    return {
        "last:core:": int(last.timestamp() * 1_000_000),
        "counts:core:h": hours,
        "counts:errors:h": [[now, values["errors"]]],
    }


@pytest.mark.parametrize(
    ("better", "worse"),
    [({"idle": 0}, {"idle": 5}), ({"days": 5}, {"days": 1}), ({"errors": 0}, {"errors": 20})],
)
def test_the_score_moves_with_each_term(better: dict[str, float], worse: dict[str, float]) -> None:
    usual: dict[str, float] = {"idle": 1, "days": 3, "errors": 1}

    def score(more: dict[str, float]) -> float:
        snapshot = features().values([states(usual | more)], {}, NOW, {"progress": 0.5})
        return float(snapshot.values["engagement"])

    assert score(better) > score(worse)
