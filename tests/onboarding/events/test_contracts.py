"""Contract files: mistakes are told, an edit that breaks is seen, senders get a schema."""

from __future__ import annotations

from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from guardrails.consent import Purpose
from onboarding.events import SHIPPED, DataFileError, load_catalogue
from onboarding.events.schemas import breaks, schema_of, unversioned
from tests.onboarding.events.parts import GROUP, IMPORTED, WHO, contracts, track

HARBOR = Path("examples/harbor/onboarding/events")


def problems(folder: Path, *texts: str) -> list[str]:
    with pytest.raises(DataFileError) as caught:
        contracts(folder, *texts)
    return [line.removeprefix(f"{folder}/") for line in caught.value.problems]


def test_what_is_shipped_loads_and_has_purposes_throughout() -> None:
    catalogue = load_catalogue(SHIPPED, HARBOR)
    assert {"page", "card_shown", "typing", "form_left", "Import Failed"} <= set(catalogue.names)
    for contract in catalogue.all_versions():
        assert contract.retention_days, contract.event
        assert all(spec.purposes for spec in contract.fields.values()), contract.event
    assert "Import Finished" in catalogue.core
    assert catalogue.mend_event("Import Finishd") == "; did you mean Import Finished?"
    assert catalogue.mend_field("Import Failed", "errorcode") == "; did you mean error_code?"


def test_harbor_has_a_contract_for_all_that_it_tells() -> None:
    catalogue = load_catalogue(SHIPPED, HARBOR)
    sources = [path.read_text() for path in Path("examples/harbor/harbor").glob("*.py")]
    told = {
        line.split('track("')[1].split('"')[0]
        for text in sources
        for line in text.splitlines()
        if 'track("' in line
    }
    assert len(told) > 30
    assert told <= set(catalogue.names)


def test_mistakes_have_line_and_column(tmp_path: Path) -> None:
    wrong = IMPORTED.replace("type: integer", "type: int").replace("min: 0", "mn: 0", 1)
    assert [each.split(": ")[0] for each in problems(tmp_path, wrong)] == [
        "0.yaml:9:10",
        "0.yaml:9:21",
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("event: A\nversion: 1-0\n", "is no version"),
        ("event: A\nversion: 1-0-0\nkind: page\n", "is called 'page'"),
        ("event: A\nversion: 1-0-0\ntraits: {a: {type: string}}\n", "has properties, no traits"),
        (WHO.replace("traits:", "properties:"), "has traits, no properties"),
        ("event: A\nversion: 1-0-0\nproperties: {a: {type: number, enum: [b]}}\n", "enum is of"),
        ("event: A\nversion: 1-0-0\nproperties: {a: {type: number, min: 2, max: 1}}\n", "above"),
        ("event: A\nversion: 1-0-0\nproperties: {'a b': {type: number}}\n", "pattern"),
        ("event: A\nversion: 1-0-0\nretention: 4w\n", "pattern"),
        ("event: A\nversion: 1-0-0\npurpose: [spying]\n", "support"),
        ("event: [A\n", "1:"),
        ("- A\n", "mapping"),
    ],
)
def test_what_is_no_contract(tmp_path: Path, text: str, told: str) -> None:
    assert told in problems(tmp_path, text)[0]


def test_one_version_is_described_once(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, IMPORTED, IMPORTED)
    assert found.startswith("1.yaml:2:1: event: Import Finished 1-0-0 is described in")


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match="no such folder"):
        load_catalogue(tmp_path / "none")


def test_the_newest_version_holds(tmp_path: Path) -> None:
    newer = IMPORTED.replace("1-0-0", "1-10-0")
    middle = IMPORTED.replace("1-0-0", "1-9-0")
    catalogue = contracts(tmp_path, IMPORTED, newer, middle)
    contract = catalogue.contract("Import Finished")
    assert contract is not None
    assert str(contract.version) == "1-10-0"
    named = catalogue.contract("Import Finished", "1-9-0")
    assert named is not None
    assert str(named.version) == "1-9-0"
    assert catalogue.tags("Import Finished")["rows"] == {Purpose.PRODUCT_ANALYTICS}


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("  rows: {type: integer, min: 0,", "  lines: {type: integer, min: 0,", "rows is gone"),
        ("type: integer", "type: number", "rows is number and was integer"),
        ("rows: {", "rows: {required: true, ", "rows is required"),
        ("[sample, full]", "[full]", "mode takes fewer values"),
        ("max: 10", "max: 9", "note has tighter bounds"),
        ("min: 0, p", "min: 1, p", "rows has tighter bounds"),
        ("[account]", "[account, user]", "the id of the user is required"),
        ("properties:\n", "properties:\n  x: {type: string, required: true}\n", "x is new and req"),
    ],
)
def test_an_edit_that_breaks_needs_a_model(tmp_path: Path, old: str, new: str, told: str) -> None:
    assert old in IMPORTED
    edited = IMPORTED.replace(old, new, 1)
    before = contracts(tmp_path / "a", IMPORTED)
    same = contracts(tmp_path / "b", edited)
    revised = contracts(tmp_path / "c", edited.replace("1-0-0", "1-1-0"))
    model = contracts(tmp_path / "d", edited.replace("1-0-0", "2-0-0"))
    first, second = (c.contract("Import Finished") for c in (before, same))
    assert first is not None
    assert second is not None
    assert any(told in each for each in breaks(first, second))
    assert any("still 1-0-0" in each for each in unversioned(before, same))
    assert any("needs MODEL 2, not 1-1-0" in each for each in unversioned(before, revised))
    assert unversioned(before, model) == ()


def test_an_edit_that_adds_needs_an_addition(tmp_path: Path) -> None:
    edited = IMPORTED + "  extra: {type: string}\n"
    before = contracts(tmp_path / "a", IMPORTED)
    assert unversioned(before, contracts(tmp_path / "b", edited))
    added = contracts(tmp_path / "c", edited.replace("1-0-0", "1-0-1"))
    assert unversioned(before, added) == ()
    assert unversioned(before, contracts(tmp_path / "d", IMPORTED + "about: Other words\n")) == ()


def test_a_sender_checks_by_the_schema(tmp_path: Path) -> None:
    catalogue = contracts(tmp_path, IMPORTED, WHO, GROUP)
    for each in catalogue.all_versions():
        Draft202012Validator.check_schema(schema_of(each))
    contract = catalogue.contract("Import Finished")
    assert contract is not None
    schema = schema_of(contract)
    validator = Draft202012Validator(schema)
    assert validator.is_valid(track("m1", rows=1, tags=["a"]))
    for wrong in (
        track("m1", rows="x"),
        track("m1", mode="none"),
        track("m1", other=1),
        track("m1") | {"context": {}},
        track("m1") | {"event": "Other"},
        {name: v for name, v in track("m1").items() if name != "properties"},
    ):
        assert not validator.is_valid(wrong)
    assert schema["properties"]["properties"]["properties"]["rows"]["x-purpose"] == [
        "product_analytics"
    ]
    campaign = schema["properties"]["context"]["properties"]["campaign"]["properties"]
    assert campaign["source"]["maxLength"] == 100
