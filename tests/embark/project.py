"""A folder of small docs, and settings that index it without a model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from embark.cli import app

PAGES = {
    "guides/invite.md": """\
---
title: Invite teammates
updated: 2026-05-01
---

# Invite teammates

Open **Settings > Members** and press **Invite**. An invitation expires after 7 days.

## Resend an invitation

Press **Resend** beside the pending invitation. The old link stops working at once.
""",
    "guides/export.md": """\
---
title: Export a dashboard
updated: 2026-05-02
---

# Export a dashboard

Press **Share** and choose **Export as CSV**. Exports hold at most 50,000 rows.
""",
    "runbooks/outage.md": """\
---
title: Outage runbook
audience: staff
updated: 2026-05-03
---

# Outage runbook

Call the incident commander and open the war room within 5 minutes.
""",
}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder: docs and an embark.toml beside them; nothing is indexed yet."""
    folder = tmp_path / "project"
    for path, text in PAGES.items():
        file = folder / "docs" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    (folder / "embark.toml").write_text(
        'data_dir = "data"\n[encoder]\nbackend = "hash"\n[answer]\nthreshold = 0.0\n'
        '[[sources]]\nid = "docs"\npath = "docs"\n',
        encoding="utf-8",
    )
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def indexed(project: Path) -> Path:
    """The same, indexed."""
    done = run("index", "run")
    assert done.exit_code == 0, done.output
    return project


def run(*args: str, stdin: str | None = None) -> Result:
    """The `embark` command in this process."""
    return CliRunner().invoke(app, args, input=stdin, catch_exceptions=False)


def write_lines(file: Path, *records: object) -> Path:
    """JSONL; a string is written as it is."""
    lines = (r if isinstance(r, str) else json.dumps(r, ensure_ascii=False) for r in records)
    file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return file


def records(result: Result) -> list[dict[str, object]]:
    """The records that a batch wrote."""
    return [json.loads(line) for line in result.stdout.splitlines()]
