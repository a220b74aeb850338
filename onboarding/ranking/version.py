"""A model as files: what a version's folder holds, checked by hash before anything is read.

manifest.json    SHA-256 of every other file, and what the version is
champion.txt     LightGBM's own text; bootstrap-0.txt .. bootstrap-9.txt beside it
starts.json      what the log odds of each begin from, before its trees
encoding.json    columns, categories, references, rates
calibration.json
card.md          what it was fitted on and how it did
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final, NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray

from onboarding.ranking.calibration import Beta, beta_of, sigmoid
from onboarding.ranking.encoding import Encoding, Rows, encoding_of
from onboarding.ranking.types import ModelFileError, Rung

FORMAT: Final = 1
MANIFEST: Final = "manifest.json"
Files = Mapping[str, bytes]


class Trees:
    """One LightGBM model that only reads; one thread, always: more make the slowest call slower."""

    def __init__(self, text: str) -> None:
        import lightgbm

        try:
            self._booster = lightgbm.Booster(model_str=text)
        except lightgbm.basic.LightGBMError as failure:
            raise ValueError("no trees of LightGBM") from failure

    def raw(self, rows: Rows) -> NDArray[np.float64]:
        """Log odds."""
        return np.asarray(self._booster.predict(rows, raw_score=True, num_threads=1))

    def contributions(self, rows: Rows) -> NDArray[np.float64]:
        """Exact SHAP of the log odds by column; the last column is the base."""
        return np.asarray(self._booster.predict(rows, pred_contrib=True, num_threads=1))


class Start(NamedTuple):
    """Log odds before any tree: a constant, and a slope on the sum of the columns `fit.GROUP`."""

    constant: float = 0.0
    slope: float = 0.0


class Scorer:
    """A start and the trees that mend it. Trees alone lose most of what the fits know."""

    def __init__(self, trees: Trees, start: Start, fits: Sequence[int]) -> None:
        self._trees = trees
        self._start = start
        self._fits = list(fits)

    def raw(self, rows: Rows) -> NDArray[np.float64]:
        """Log odds."""
        begins = self._start.constant + self._start.slope * rows[:, self._fits].sum(axis=1)
        return np.asarray(begins + self._trees.raw(rows))

    def contributions(self, rows: Rows) -> NDArray[np.float64]:
        """Exact SHAP of the log odds by column, a fit's beside 0; the last column is the base."""
        parts = self._trees.contributions(rows)
        parts[:, self._fits] += self._start.slope * rows[:, self._fits]
        parts[:, -1] += self._start.constant
        return parts


@dataclass(frozen=True, slots=True)
class Version:
    """One fitted ranker, ready to score."""

    name: str
    rung: Rung
    spec: str
    encoding: Encoding
    calibration: Beta
    champion: Scorer
    bootstraps: tuple[Scorer, ...]

    def chances(self, rows: Rows) -> NDArray[np.float64]:
        return self.calibration(sigmoid(self.champion.raw(rows)))

    def resampled(self, rows: Rows) -> NDArray[np.float64]:
        """The same of each bootstrap model: models x rows."""
        raw = np.array([each.raw(rows) for each in self.bootstraps])
        return self.calibration(sigmoid(raw))


def sealed(files: Files, about: Mapping[str, Any]) -> dict[str, bytes]:
    """The files with their manifest; `about` needs `name`, `rung` and `spec`."""
    hashes = {name: sha256(content).hexdigest() for name, content in sorted(files.items())}
    manifest = {"format": FORMAT, **about, "files": hashes}
    told = orjson.dumps(manifest, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS)
    return {**files, MANIFEST: told}


def checked(files: Files) -> dict[str, Any]:
    """The manifest, once every file is what it says. Raises ModelFileError."""
    try:
        manifest: dict[str, Any] = orjson.loads(files[MANIFEST])
        hashes: dict[str, str] = manifest["files"]
        if manifest["format"] != FORMAT:
            raise ModelFileError(f"its format is {manifest['format']}, not {FORMAT}")
    except (KeyError, TypeError, ValueError) as error:
        raise ModelFileError(f"{MANIFEST} is missing or broken") from error
    for name, wanted in hashes.items():
        if name not in files:
            raise ModelFileError(f"{name} is missing")
        if sha256(files[name]).hexdigest() != wanted:
            raise ModelFileError(f"{name} is not the file that was sealed")
    return manifest


def opened(files: Files) -> Version:
    """Raises ModelFileError."""
    manifest = checked(files)
    try:
        count = int(manifest["bootstraps"])
        names = ["champion.txt", *(f"bootstrap-{number}.txt" for number in range(count))]
        encoding = encoding_of(orjson.loads(files["encoding.json"]))
        starts = [Start(*map(float, each)) for each in orjson.loads(files["starts.json"])]
        champion, *bootstraps = (
            Scorer(Trees(files[name].decode()), start, encoding.fits)
            for name, start in zip(names, starts, strict=True)
        )
        return Version(
            name=str(manifest["name"]),
            rung=Rung(manifest["rung"]),
            spec=str(manifest["spec"]),
            encoding=encoding,
            calibration=beta_of(orjson.loads(files["calibration.json"])),
            champion=champion,
            bootstraps=tuple(bootstraps),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ModelFileError(f"a file cannot be read: {type(error).__name__}") from error
