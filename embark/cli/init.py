"""`embark init`: an embark.toml that points at your docs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from embark.cli.output import ExitCode, fail, note, out
from embark.layers import FILE_NAME

TEMPLATE = """\
# Embark's configuration. `embark config show --origin` lists every setting and its default.
# Variables (EMBARK_SERVER__PORT=9000) and flags (--set server.port=9000) override this file.
# Relative paths start at this file's folder.

tenant = "default"

[[sources]]
id = "docs"
kind = "folder"        # folder, git or sitemap
path = {path}
# labels = "embark-labels.toml"              # who may see which pages
# base_url = "https://docs.example.com"      # where the pages stand, for links

# suggestions = ["How do I invite my team?"]

# Answers are taken from your pages, word for word, unless a chat model is named here. Its key
# belongs in EMBARK_MODEL__API_KEY.
# [model]
# base_url = "http://127.0.0.1:11434/v1"
# name = "llama3.1"
"""


def init(
    docs: Annotated[Path, typer.Argument(help="Folder with your documentation.")] = Path("docs"),
    to: Annotated[Path, typer.Option(help="File to write.")] = Path(FILE_NAME),
) -> None:
    """Write an embark.toml that points at your docs; an existing file is left alone."""
    text = TEMPLATE.format(path=_toml_string(_from(to, docs)))
    try:
        with to.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as taken:
        fail(f"{to} exists already and is left as it is", "choose another file with --to")
        raise typer.Exit(ExitCode.USAGE) from taken
    except OSError as failure:
        fail(f"{to} cannot be written: {failure.strerror}")
        raise typer.Exit(ExitCode.USAGE) from failure
    out.print(f"wrote {to}", markup=False)
    if not docs.is_dir():
        note(f"{docs} is not there yet: mend `path` in {to}")
    note("next: embark index run")


def _from(file: Path, docs: Path) -> str:
    """`docs` as the file's reader sees it: relative to the file's folder where it lies below it."""
    absolute = docs.expanduser().resolve()
    folder = file.resolve().parent
    return (
        absolute.relative_to(folder) if absolute.is_relative_to(folder) else absolute
    ).as_posix()


def _toml_string(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
