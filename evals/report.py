"""The document of figures -> one HTML page that needs nothing else; everything is escaped."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from html import escape
from importlib.resources import files
from string import Template
from typing import Any

from evals.plots import reliability_svg, retrieval_svg, risk_coverage_svg

Document = Mapping[str, Any]


def html_report(document: Document) -> str:
    """The report. `document` is what `measure` gives, with `gate` where it was checked."""
    name = document["corpus"]["name"]
    parts = [f"<h1>Answers on {escape(name)}</h1>"]
    parts += [section(document) for section in _SECTIONS]
    template = Template((files("evals") / "report.html").read_text("utf-8"))
    title = escape(f"Embark: answers on {name}")
    return template.substitute(title=title, body="\n".join(part for part in parts if part))


def _about(document: Document) -> str:
    rows = [*document["corpus"].items(), *document["run"].items(), ("made", document["made"])]
    missed = document.get("gate")
    gate = "" if missed is None else _gate(missed)
    return gate + _table(("", ""), ((key, _said(value)) for key, value in rows))


def _gate(missed: Sequence[str]) -> str:
    if not missed:
        return "<p>Every threshold is met.</p>"
    return (
        "<p>Thresholds missed:</p><ul>" + "".join(f"<li>{escape(m)}</li>" for m in missed) + "</ul>"
    )


def _retrieval(document: Document) -> str:
    parts = ["<h2>Retrieval</h2>"]
    for group, table in document["retrieval"].items():
        measures = list(next(iter(table.values())))
        count = table["product"][measures[0]]["n"]
        parts.append(f"<h3>{escape(group)} <span class=dim>{count} questions</span></h3>")
        if group == "all":
            parts.append(retrieval_svg(table))
        rows = ((name, *(_figure(of[m]) for m in measures)) for name, of in table.items())
        parts.append(_table(("", *measures), rows))
    return "".join(parts)


def _refusal(document: Document) -> str:
    found = document["refusal"]
    systems = list(next(iter(found["coverage"].values())))
    auroc = ((kind, *(_figure(of[s]) for s in systems)) for kind, of in found["auroc"].items())
    coverage = (
        (risk, name, _figure(c["coverage"]), _said(c["of_answerable"]), _said(c["threshold"]))
        for risk, of in found["coverage"].items()
        for name, c in of.items()
    )
    rates = ((name, _figure(of), of["n"]) for name, of in found["rates"].items())
    calibration = (
        (n, _said(of["ece"]), _said(of["brier"])) for n, of in found["calibration"].items()
    )
    return "".join(
        (
            "<h2>Refusal</h2><h3>AUROC, answerable against</h3>",
            _table(("", *systems), auroc),
            "<h3>Coverage at a risk</h3>",
            _table(("risk", "", "of all questions", "of the answerable", "threshold"), coverage),
            f"<p>Risk at the product's threshold: {_figure(found['risk'])}</p>",
            risk_coverage_svg(found["curves"]),
            "<h3>Refused at the product's threshold</h3>",
            _table(("", "share", "questions"), rates),
            "<h3>Calibration</h3>",
            _table(("outcome", "ECE", "Brier"), calibration),
            reliability_svg(found["calibration"]),
        )
    )


def _citations(document: Document) -> str:
    rows = ((name, _figure(of), of["n"]) for name, of in document["citations"].items())
    parts = ["<h2>Citations and support</h2>", _table(("", "share", "of"), rows)]
    for title, faults in document["faults"].items():
        if faults:
            parts.append(f"<h3>{escape(title.replace('_', ' '))}, examples</h3>")
            cells = ((f["question"], f["text"], f["why"]) for f in faults)
            parts.append(_table(("question", "text", "why"), cells))
    return "".join(parts)


def _wording(document: Document) -> str:
    rows = ((name, _figure(of), of["n"]) for name, of in document["wording"].items())
    return "<h2>Wording</h2>" + _table(("", "mean", "answers"), rows)


def _ragas(document: Document) -> str:
    found = document["ragas"]
    if found is None:
        return ""
    rows = [(name, _figure(of), of["n"]) for name, of in found["figures"].items()]
    rows += [(name, f"not run: {why}", "") for name, why in found["skipped"].items()]
    return f"<h2>ragas {escape(found['version'])}</h2>" + _table(("", "mean", "answers"), rows)


def _timings(document: Document) -> str:
    steps = document["timings_ms"].items()
    rows = ((step, f"{of['p50']:.1f}", f"{of['p95']:.1f}", of["n"]) for step, of in steps)
    return "<h2>Milliseconds, one user</h2>" + _table(("step", "p50", "p95", "questions"), rows)


def _samples(document: Document) -> str:
    articles = "".join(_sample(one) for one in document["samples"])
    return f"<h2>Answers to read</h2>{articles}" if articles else ""


def _sample(one: Mapping[str, Any]) -> str:
    cited = "".join(
        f"<dt>[{c['marker']}] {escape(_place(c))}</dt><dd><pre>{escape(c['quote'])}</pre></dd>"
        for c in one["citations"]
    )
    verdict = "cites no answering page" if one["wrong"] else "cites an answering page"
    return (
        f"<article><h3>{escape(one['question'])}</h3>"
        f"<p class=dim>{escape(one['id'])}, confidence {one['confidence']}, {verdict}</p>"
        f"<dl><dt>Answer</dt><dd><pre>{escape(one['answer'])}</pre></dd>"
        f"<dt>Gold answer, {escape(', '.join(one['gold_pages']))}</dt>"
        f"<dd><pre>{escape(one['gold'])}</pre></dd>{cited}</dl></article>"
    )


def _place(citation: Mapping[str, Any]) -> str:
    anchor = citation["anchor"]
    return f"{citation['path']}#{anchor}" if anchor else str(citation["path"])


_SECTIONS: tuple[Callable[[Document], str], ...] = (
    _about,
    _retrieval,
    _refusal,
    _citations,
    _wording,
    _ragas,
    _timings,
    _samples,
)


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    top = "".join(f"<th scope=col>{escape(cell)}</th>" for cell in head)
    body = "".join(f"<tr>{''.join(_cell(cell) for cell in row)}</tr>" for row in rows)
    return (
        f"<div class=scroll><table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _cell(value: object) -> str:
    return f"<td>{escape(_said(value))}</td>"


def _figure(of: Mapping[str, Any]) -> str:
    """`.713 (.681 to .744)`."""
    if of["value"] is None:
        return "-"
    return f"{of['value']:.3f} ({of['low']:.3f} to {of['high']:.3f})"


def _said(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.3f}"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "-"
    return "-" if value is None else str(value)
