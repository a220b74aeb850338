"""A git checkout or bare repository at one commit, read without touching the work tree."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from ingest.sources.selection import Selection, public_url
from ingest.types import PageError, RawPage, SourceError

_TIMEOUT_S = 120.0
_REGULAR = {"100644", "100755"}  # symbolic links and submodules are no pages


class GitSource:
    """Pages of `ref` below `folder` of the repository; `updated` is the date of the last commit
    that touched the page."""

    def __init__(
        self,
        id: str,
        repository: Path,
        *,
        ref: str = "HEAD",
        folder: str = "",
        selection: Selection | None = None,
        base_url: str | None = None,
    ) -> None:
        self._id = id
        self._repository = repository
        self._ref = ref
        self._folder = folder.strip("/")
        self._selection = selection or Selection()
        self._base_url = base_url

    @property
    def id(self) -> str:
        return self._id

    def pages(self) -> Iterator[RawPage | PageError]:
        """Raises SourceError: no repository, unknown ref or folder, git missing or failing."""
        commit = self._commit()
        blobs = dict(sorted(self._tree(commit)))
        dates = self._dates(commit)
        contents = self._contents(list(blobs.values()))
        for path, data in zip(blobs, contents, strict=True):
            url = public_url(self._base_url, path)
            yield RawPage(path, data, url, dates.get(path))

    def _commit(self) -> str:
        if not self._repository.is_dir():
            raise self._error(f"{self._repository} is no folder", "give a checkout or bare clone")
        self._git("rev-parse", "--git-dir", hint="give a git checkout or a bare clone")
        name = f"{self._ref}^{{commit}}"
        hint = "fetch it, or name another branch, tag or commit"
        found = self._git("rev-parse", "--verify", "--end-of-options", name, hint=hint)
        return found.decode("ascii").strip()

    def _tree(self, commit: str) -> Iterator[tuple[str, str]]:
        """Page path and blob id."""
        place = f"{commit}:{self._folder}" if self._folder else commit
        hint = f"no folder {self._folder!r} at {self._ref}; name one that exists"
        listing = self._git("ls-tree", "-r", "-z", "--full-tree", place, hint=hint)
        for entry in listing.split(b"\0"):
            if not entry:
                continue
            head, _, name = entry.partition(b"\t")
            mode, _, blob = head.decode("ascii").split(" ")
            path = name.decode("utf-8", "replace")
            if mode in _REGULAR and self._selection.takes(path):
                yield path, blob

    def _dates(self, commit: str) -> dict[str, str]:
        """Last commit date by path, from one walk over the history."""
        log = self._git(
            *("log", "--format=%x01%cs", "--name-only", "-z", "--no-renames", commit, "--"),
            *([f":(top){self._folder}"] if self._folder else []),
            hint="check the history of the repository",
        )
        prefix = f"{self._folder}/" if self._folder else ""
        dates: dict[str, str] = {}
        for record in log.split(b"\x01")[1:]:
            head, *names = record.split(b"\0")
            day = head.decode("ascii").strip()
            for name in names:
                path = name.decode("utf-8", "replace").lstrip("\n")
                if path.startswith(prefix):
                    dates.setdefault(path.removeprefix(prefix), day)
        return dates

    def _contents(self, blobs: Sequence[str]) -> Iterator[bytes]:
        """Blobs in order through one `git cat-file --batch`, one held at a time."""
        command = [*self._command(), "cat-file", "--batch"]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=_environment()
        ) as process:
            if process.stdin is None or process.stdout is None:
                raise self._error("git gave no pipes", "run it again")
            for blob in blobs:
                process.stdin.write(f"{blob}\n".encode("ascii"))
                process.stdin.flush()
                head = process.stdout.readline().split()
                if len(head) != 3:  # noqa: PLR2004
                    raise self._error(f"object {blob} is missing", "fetch the full history")
                data = process.stdout.read(int(head[2]))
                process.stdout.read(1)
                yield data
            process.stdin.close()

    def _git(self, *arguments: str, hint: str) -> bytes:
        try:
            done = subprocess.run(
                [*self._command(), *arguments],
                capture_output=True,
                check=True,
                timeout=_TIMEOUT_S,
                env=_environment(),
            )
        except FileNotFoundError as error:
            raise self._error("git is not installed", "install git, or index a folder") from error
        except subprocess.TimeoutExpired as error:
            raise self._error(f"git took longer than {_TIMEOUT_S:.0f} s", hint) from error
        except subprocess.CalledProcessError as error:
            told = error.stderr.decode("utf-8", "replace").strip().splitlines() or ["git failed"]
            raise self._error(told[0].removeprefix("fatal: "), hint) from error
        return done.stdout

    def _command(self) -> list[str]:
        return ["git", "-C", str(self._repository), "-c", "core.quotePath=false"]

    def _error(self, what: str, hint: str) -> SourceError:
        return SourceError(f"source {self._id!r}: {what} ({hint})")


def _environment() -> dict[str, str]:
    """No prompts, no pager, no repository other than the one that was named."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
    return {**inherited, "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
