"""All contracts that hold, by event and version: what the other rooms check names against."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType

from guardrails.consent import Tags
from onboarding.events.contracts import (
    CONTEXT_FILE,
    Contract,
    FieldSpec,
    Version,
    read_context,
    read_contract,
)
from onboarding.rules import DataFileError, did_you_mean

SHIPPED = Path(str(files("onboarding.events"))) / "definitions"
"""Contracts of the widget's own events."""


class EventCatalogue:
    """Contracts by event; of one event the newest version is the one that holds unasked."""

    def __init__(self, contracts: Iterable[Contract] = ()) -> None:
        """Raises DataFileError where one version of an event is described twice."""
        found: dict[str, dict[str, Contract]] = {}
        twice: list[str] = []
        for each in contracts:
            versions = found.setdefault(each.event, {})
            earlier = versions.setdefault(str(each.version), each)
            if earlier is not each:
                told = f"{each.event} {each.version} is described in {earlier.place} too"
                twice.append(f"{each.place}: event: {told}")
        if twice:
            raise DataFileError(twice)
        self._versions = found
        self._newest = MappingProxyType(
            {name: max(of.values(), key=_version) for name, of in sorted(found.items())}
        )

    @property
    def contracts(self) -> Mapping[str, Contract]:
        """The newest of each event, by name."""
        return self._newest

    @property
    def names(self) -> tuple[str, ...]:
        """Of events, sorted."""
        return tuple(self._newest)

    @property
    def core(self) -> frozenset[str]:
        """Events that count as using the product."""
        return frozenset(name for name, each in self._newest.items() if each.core)

    def __contains__(self, event: object) -> bool:
        return event in self._newest

    def contract(self, event: str, version: str | None = None) -> Contract | None:
        """The newest, unless a version is named."""
        if version is None:
            return self._newest.get(event)
        return self._versions.get(event, {}).get(version)

    def all_versions(self) -> tuple[Contract, ...]:
        """By event, the oldest version first."""
        return tuple(
            each
            for name in self._newest
            for each in sorted(self._versions[name].values(), key=_version)
        )

    def field(self, event: str, name: str) -> FieldSpec | None:
        """A field of the newest version, by its name in `Event.fields`."""
        contract = self._newest.get(event)
        return None if contract is None else contract.fields.get(name)

    def tags(self, event: str) -> Tags:
        """Purposes by field; empty for an unknown event."""
        contract = self._newest.get(event)
        if contract is None:
            return MappingProxyType({})
        return {name: spec.purposes for name, spec in contract.fields.items()}

    def mend_event(self, event: str) -> str:
        """`; did you mean X?`, or nothing, for an event that is not planned."""
        return did_you_mean(event, self._newest)

    def mend_field(self, event: str, name: str) -> str:
        """`; did you mean X?`, or nothing, for a field that its event does not have."""
        contract = self._newest.get(event)
        return "" if contract is None else did_you_mean(name, contract.fields)


def load_catalogue(*folders: Path) -> EventCatalogue:
    """Every `*.yaml` of the folders; `context.yaml` holds the context fields of the folder's
    events. Raises DataFileError with the mistakes of all."""
    contracts: list[Contract] = []
    problems: list[str] = []
    for folder in folders:
        try:
            contracts += _folder(folder)
        except DataFileError as failure:
            problems += failure.problems
    if problems:
        raise DataFileError(problems)
    return EventCatalogue(contracts)


def _folder(folder: Path) -> list[Contract]:
    if not folder.is_dir():
        raise DataFileError([f"{folder}:1:1: there is no such folder of contracts"])
    context = folder / CONTEXT_FILE
    shared = read_context(SHIPPED / CONTEXT_FILE)
    if context.exists():
        shared |= read_context(context)
    contracts: list[Contract] = []
    problems: list[str] = []
    for path in sorted(folder.glob("*.yaml")):
        if path.name == CONTEXT_FILE:
            continue
        try:
            contracts.append(read_contract(path, shared))
        except DataFileError as failure:
            problems += failure.problems
    if problems:
        raise DataFileError(problems)
    return contracts


def _version(contract: Contract) -> Version:
    return contract.version
