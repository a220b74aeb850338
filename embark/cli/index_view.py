"""What `embark index` prints: plans, reports and versions, for people and as JSON."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import datetime, timedelta

from rich.table import Table

from embark.cli.output import err, note, out
from ingest.plans import Change, Plan
from ingest.sync import Outcome, SyncReport
from ingest.types import PageError
from retrieval.archive import ArchiveStatus
from retrieval.catalog import VersionRecord, VersionState
from retrieval.folders import Holder

_SIGNS = {Change.ADDED: "+", Change.CHANGED: "~", Change.REMOVED: "-"}
_SHOWN_PROBLEMS = 50  # the rest is counted; --json has them all


def plan_document(plan: Plan) -> dict[str, object]:
    """The JSON of a plan: counts, pages that change, problems, estimate."""
    return {
        "base": plan.base,
        "pages": {change.value: plan.count(change) for change in Change},
        "chunks": {change.value: plan.chunks.get(change, 0) for change in Change},
        "changes": [
            {"source": page.source, "path": page.path, "change": page.change.value}
            for page in plan.pages
            if page.change is not Change.UNCHANGED
        ],
        "estimate": {
            "chunks": plan.estimate.chunks,
            "tokens": plan.estimate.tokens,
            "seconds": round(plan.estimate.seconds, 1),
        },
        "delete_ratio": round(plan.delete_ratio, 4),
        "problems": [_problem(problem) for problem in plan.problems],
        "kept_after_error": [page.path for page in plan.pages if page.kept_after_error],
    }


def report_document(report: SyncReport) -> dict[str, object]:
    """The JSON of a run: its outcome, and the plan that it carried out."""
    return {
        "outcome": report.outcome.value,
        "version": report.version,
        "previous": report.previous,
        "encoded": report.encoded,
        "gate": None if report.gate is None else report.gate.as_dict(),
        "timings_s": {step: round(took, 3) for step, took in report.timings_s.items()},
        "plan": plan_document(report.plan),
    }


def status_document(status: ArchiveStatus, now: datetime) -> dict[str, object]:
    """The JSON of `index status`; removed versions are left out."""
    return {
        "current": status.current,
        "rollback": status.rollback,
        "versions": [_version(record, now) for record in _living(status)],
        "holders": [_holder(holder) for holder in status.holders],
        "writer": None if status.writer is None else _holder(status.writer),
    }


def show_plan(plan: Plan) -> None:
    table = Table(box=None, pad_edge=False)
    for name in ("", *(change.value for change in Change)):
        table.add_column(name, justify="right")
    table.add_row("pages", *(str(plan.count(change)) for change in Change))
    table.add_row("chunks", *(str(plan.chunks.get(change, 0)) for change in Change))
    out.print(table)
    estimate = plan.estimate
    if estimate.chunks:
        out.print(
            f"to embed: {estimate.chunks} chunks, about {estimate.tokens:,} tokens, "
            f"about {_span(timedelta(seconds=estimate.seconds))}",
            markup=False,
        )


def show_diff(plan: Plan) -> None:
    """One line a page: `+` added, `~` changed, `-` removed."""
    for page in sorted(plan.pages, key=lambda page: (page.source, page.path)):
        if page.change is not Change.UNCHANGED:
            sys.stdout.write(f"{_SIGNS[page.change]} {page.source}/{page.path}\n")


def show_report(report: SyncReport) -> None:
    plan = report.plan
    if report.outcome is Outcome.PLANNED:
        show_plan(plan)
    if report.outcome is Outcome.UNCHANGED:
        note(f"nothing changed in {len(plan.pages)} pages")
    if report.outcome is Outcome.PUBLISHED:
        counts = ", ".join(f"{plan.count(c)} {c.value}" for c in Change if plan.count(c))
        total = sum(report.timings_s.values())
        note(f"pages: {counts}; {report.encoded} chunks embedded; {total:.1f} s")
    if report.version is not None:
        sys.stdout.write(f"{report.version}\n")


def show_status(status: ArchiveStatus, now: datetime) -> None:
    table = Table(box=None, pad_edge=False)
    for name in ("version", "state", "age", "pages", "chunks", "size"):
        table.add_column(name, justify="left" if name in {"version", "state"} else "right")
    for record in _living(status):
        table.add_row(
            record.name,
            _standing(record, status),
            _span(now - record.created),
            str(record.pages),
            str(record.chunks),
            f"{record.size_bytes / 1e6:.1f} MB",
        )
    if table.row_count:
        out.print(table)
    for holder in status.holders:
        note(f"{holder.version} is open in {holder}")
    if status.writer is not None:
        note(f"{status.writer} is writing now")


def tell_problems(problems: Sequence[PageError]) -> None:
    """File, line, what is wrong and how to mend it, on stderr."""
    for problem in problems[:_SHOWN_PROBLEMS]:
        err.print(f"{problem.severity.value}: {problem}", markup=False)
    if len(problems) > _SHOWN_PROBLEMS:
        note(f"and {len(problems) - _SHOWN_PROBLEMS} more; --json lists them all")


def _living(status: ArchiveStatus) -> list[VersionRecord]:
    return [record for record in status.records if record.state is not VersionState.REMOVED]


def _standing(record: VersionRecord, status: ArchiveStatus) -> str:
    if record.name == status.current:
        return "current"
    return "rollback" if record.name == status.rollback else record.state.value


def _version(record: VersionRecord, now: datetime) -> dict[str, object]:
    return {
        "name": record.name,
        "state": record.state.value,
        "created": record.created.isoformat(),
        "published": None if record.published is None else record.published.isoformat(),
        "age_s": round((now - record.created).total_seconds(), 1),
        "previous": record.previous,
        "pages": record.pages,
        "chunks": record.chunks,
        "size_bytes": record.size_bytes,
        "gate": dict(record.gate),
    }


def _problem(problem: PageError) -> dict[str, object]:
    return {
        "path": problem.path,
        "line": problem.line,
        "severity": problem.severity.value,
        "message": problem.message,
        "hint": problem.hint,
    }


def _holder(holder: Holder) -> dict[str, object]:
    return {
        "pid": holder.pid,
        "host": holder.host,
        "command": holder.command,
        "version": holder.version,
    }


def _span(length: timedelta) -> str:
    """`42 s`, `7 min`, `3 h`, `12 d`."""
    seconds = length.total_seconds()
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
