"""Progress of people, and files as they were published."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from guardrails.tenancy import protect

revision = "0001"
down_revision: str | None = None
branch_labels: str | None = None
depends_on: str | None = None
TABLES = (
    "journey_enrolment",
    "journey_done",
    "journey_mode",
    "journey_source",
    "journey_release",
    "journey_item",
    "journey_switch",
)


def _key(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, primary_key=True)


def _number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer, primary_key=True, autoincrement=False)


def _texts(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text, nullable=False) for name in names]


def _maybe(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text) for name in names]


def upgrade() -> None:
    _progress()
    _files()
    op.create_index("journey_enrolment_begun", "journey_enrolment", ["tenant", "started_at"])
    op.create_index("journey_done_by", "journey_done", ["tenant", "by"])
    protect(op.get_bind(), *TABLES)


def _progress() -> None:
    op.create_table(
        "journey_enrolment",
        *map(_key, ("tenant", "subject", "journey")),
        _number("entry"),
        sa.Column("version", sa.Integer, nullable=False),
        *_maybe("kit", "account"),
        *_texts("started_at"),
        *_maybe("reached_at", "finished_at", "left_at", "left_why"),
    )
    op.create_table(
        "journey_done",
        *map(_key, ("tenant", "owner_kind", "owner", "journey")),
        _number("entry"),
        _key("step"),
        *_texts("action", "state", "at"),
        *_maybe("by"),
        *_texts("evidence"),
    )
    op.create_table("journey_mode", _key("tenant"), _key("subject"), *_texts("mode", "at"))


def _files() -> None:
    op.create_table(
        "journey_source",
        *map(_key, ("tenant", "kind", "name")),
        _number("version"),
        *_texts("digest", "content"),
    )
    op.create_table(
        "journey_release", _key("tenant"), _number("number"), *_texts("by", "at", "note", "digest")
    )
    op.create_table(
        "journey_item",
        _key("tenant"),
        _number("number"),
        *map(_key, ("kind", "name")),
        sa.Column("version", sa.Integer, nullable=False),
    )
    op.create_table(
        "journey_switch",
        _key("tenant"),
        _number("place"),
        sa.Column("number", sa.Integer, nullable=False),
        *_texts("by", "at", "why"),
    )
