"""A tiny corpus on disk, in both layouts."""

from __future__ import annotations

import json
from pathlib import Path

PAGES = {
    "guides/invite.md": "# Invite teammates\n\nOpen **Members** and press **Invite**. "
    "An invitation expires after 7 days.\n",
    "guides/export.md": "# Export a dashboard\n\nPress **Share** and choose **Export as CSV**. "
    "Exports hold at most 50,000 rows.\n",
    "guides/alerts.md": "# Alerts\n\nAn alert is sent by e-mail when a metric leaves its range.\n",
}
QUESTIONS = [
    ("q1", "How do I invite teammates?", "guides/invite", "Open Members and press Invite."),
    ("q2", "How many rows does an export hold?", "guides/export", "At most 50,000 rows."),
    ("q3", "When is an alert sent by e-mail?", "guides/alerts", "When a metric leaves its range."),
]


def write_pages(root: Path) -> Path:
    for path, text in PAGES.items():
        file = root / "docs" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return root


def write_beir(root: Path) -> Path:
    """queries.jsonl, qrels.tsv and leave_out.tsv; one question is unanswerable."""
    write_pages(root)
    rows = [
        {"_id": id_, "text": text, "label": "answerable", "kind": "faq", "self_contained": True,
         "answer": answer}
        for id_, text, _, answer in QUESTIONS
    ]  # fmt: skip
    rows.append(
        {"_id": "u1", "text": "Which flights leave Oslo?", "label": "unanswerable",
         "kind": "off_topic", "answer": None}
    )  # fmt: skip
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (root / "queries.jsonl").write_text(lines, encoding="utf-8")
    graded = "".join(f"{id_}\t{page.replace('/', '__')}\t2\n" for id_, _, page, _ in QUESTIONS)
    (root / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\n" + graded, encoding="utf-8")
    gone = "query-id\tdrop-corpus-ids\nq2\tguides__export\n"
    (root / "leave_out.tsv").write_text(gone, encoding="utf-8")
    return root


def write_plain(root: Path) -> Path:
    """questions.jsonl alone; the last question follows up, the one before it is filtered."""
    write_pages(root)
    rows: list[dict[str, object]] = [
        {"_id": id_, "text": text, "label": "answerable", "kind": "guide", "answer": answer,
         "answer_docs": [page]}
        for id_, text, page, answer in QUESTIONS
    ]  # fmt: skip
    rows[2]["filter"] = {"path": ["guides/alerts.md", "guides/none.md"]}
    rows.append({**rows[1], "_id": "f1", "text": "and as CSV?", "after": "q2"})
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (root / "questions.jsonl").write_text(lines, encoding="utf-8")
    return root
