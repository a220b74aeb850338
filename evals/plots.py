"""Figures as SVG text for the report, drawn by matplotlib without a display."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import StringIO
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

_COLOURS = ("#1f5fbf", "#9a9a9a", "#c98a2b", "#4f9a63")  # the product first; told apart when grey


def risk_coverage_svg(curves: Mapping[str, Sequence[Mapping[str, float]]]) -> str:
    """Share of wrong answers over share answered, one line a system."""
    figure, axes = _blank("share of questions answered", "share of wrong among them")
    for (name, points), colour in zip(curves.items(), _COLOURS, strict=False):
        x, y = [p["coverage"] for p in points], [p["risk"] for p in points]
        axes.step(x, y, where="post", label=name, color=colour)
    for risk in (0.02, 0.05):
        axes.axhline(risk, color="#bbbbbb", linewidth=0.8, linestyle="--")
    axes.set_xlim(0, 1)
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False)
    return _svg(figure)


def reliability_svg(calibration: Mapping[str, Mapping[str, Any]]) -> str:
    """Share that held over stated confidence, one line an outcome; dots grow with the count."""
    figure, axes = _blank("stated confidence", "share that held")
    axes.plot([0, 1], [0, 1], color="#bbbbbb", linewidth=0.8, linestyle="--")
    for (name, of), colour in zip(calibration.items(), _COLOURS, strict=False):
        x, y = [b["confidence"] for b in of["bins"]], [b["accuracy"] for b in of["bins"]]
        axes.plot(x, y, label=name, color=colour)
        axes.scatter(x, y, s=[4 + b["count"] ** 0.5 * 6 for b in of["bins"]], color=colour)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.legend(frameon=False)
    return _svg(figure)


def retrieval_svg(table: Mapping[str, Mapping[str, Mapping[str, float]]]) -> str:
    """Bars with 95 % intervals, one group a measure, one bar a system."""
    figure, axes = _blank("", "")
    measures = list(next(iter(table.values())))
    width = 0.8 / len(table)
    for at, ((name, values), colour) in enumerate(zip(table.items(), _COLOURS, strict=False)):
        heights = [values[measure]["value"] for measure in measures]
        below = [values[m]["value"] - values[m]["low"] for m in measures]
        above = [values[m]["high"] - values[m]["value"] for m in measures]
        x = [place + at * width for place in range(len(measures))]
        error = [[max(b, 0.0) for b in below], [max(a, 0.0) for a in above]]
        axes.bar(x, heights, width * 0.9, yerr=error, label=name, color=colour, ecolor="#555555")
    centre = 0.4 - width / 2
    axes.set_xticks([place + centre for place in range(len(measures))], measures)
    axes.set_ylim(0, 1)
    axes.legend(frameon=False, ncols=len(table), loc="upper center", bbox_to_anchor=(0.5, 1.14))
    return _svg(figure)


def _blank(x: str, y: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(6, 3.6), layout="constrained")
    axes = figure.add_subplot()
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _svg(figure: Figure) -> str:
    """The `<svg>` element alone; text stays text, and nothing names the time of drawing."""
    written = StringIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "embark"}):
        FigureCanvasSVG(figure).print_svg(  # type: ignore[no-untyped-call]
            written, metadata={"Date": None}
        )
    text = written.getvalue()
    return text[text.index("<svg") :]
