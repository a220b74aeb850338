from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import JsonValue

from embark.layers import ConfigurationError, load_settings


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def write(folder: Path, text: str, name: str = "embark.toml") -> Path:
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return file


def origins(**flags: JsonValue) -> dict[str, tuple[JsonValue, str]]:
    loaded = load_settings(flags={key.replace("__", "."): v for key, v in flags.items()})
    return {value.key: (value.value, value.origin) for value in loaded.values()}


def problem(flags: dict[str, JsonValue] | None = None) -> str:
    with pytest.raises(ConfigurationError) as caught:
        load_settings(flags=flags)
    return str(caught.value)


def test_flags_beat_environment_beats_file(
    empty_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(empty_folder, '[server]\nhost = "h"\nport = 1\nmax_streams = 7\n')
    monkeypatch.setenv("EMBARK_SERVER__PORT", "2")
    monkeypatch.setenv("EMBARK_SERVER__HOST", "e")
    found = origins(server__host="f")
    assert found["server.host"] == ("f", "flag")
    assert found["server.port"] == (2, "env EMBARK_SERVER__PORT")
    assert found["server.max_streams"] == (7, str(file))
    assert found["server.heartbeat_s"] == (15.0, "default")


def test_a_table_of_pyproject_serves_too(empty_folder: Path) -> None:
    file = write(empty_folder, '[tool.embark]\ntenant = "acme"\n', "pyproject.toml")
    assert origins()["tenant"] == ("acme", str(file))


def test_a_pyproject_without_our_table_is_passed_over(
    empty_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(empty_folder, 'tenant = "above"\n')
    below = empty_folder / "below"
    below.mkdir()
    write(below, "[tool.other]\n", "pyproject.toml")
    monkeypatch.chdir(below)
    assert origins()["tenant"] == ("above", str(file))


def test_paths_of_a_file_start_at_its_folder(
    empty_folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = write(
        empty_folder,
        'data_dir = "data"\n[[sources]]\nid = "docs"\npath = "docs"\nlabels = "rules.toml"\n',
    )
    monkeypatch.chdir(tmp_path)
    settings = load_settings(file).settings
    assert settings.data_dir == empty_folder / "data"
    assert settings.sources[0].path == empty_folder / "docs"
    assert settings.sources[0].labels == empty_folder / "rules.toml"


def test_the_file_can_be_named_by_a_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(tmp_path, 'tenant = "named"\n', "other.toml")
    monkeypatch.setenv("EMBARK_CONFIG", str(file))
    assert load_settings().settings.tenant == "named"


def test_sources_come_from_the_environment_as_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMBARK_SOURCES", '[{"id":"docs","path":"d"}]')
    assert origins()["sources[0].path"] == ("d", "env EMBARK_SOURCES")


def test_each_mistake_names_place_key_and_value(
    empty_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(empty_folder, '[answer]\nrisk = 7\n[[sources]]\nid = "x"\nkind = "ftp"\n')
    monkeypatch.setenv("EMBARK_SERVER__PORT", "many")
    lines = problem().splitlines()
    assert len(lines) == 3
    by_key = {line.split(": ")[1]: line for line in lines}
    assert by_key["answer.risk"].startswith(f"{file}: ")
    assert "(given: 7)" in by_key["answer.risk"]
    assert "'folder', 'git' or 'sitemap'" in by_key["sources[0].kind"]
    assert by_key["server.port"].startswith("env EMBARK_SERVER__PORT: ")


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ('tennant = "x"\n', "tennant: no such setting; did you mean tenant?"),
        ("[answer]\nrsk = 0.1\n", "answer.rsk: no such setting; did you mean risk?"),
        ('[[sources]]\nid = "a"\npath = "p"\nlabel = "l"\n', "did you mean labels?"),
        ('[model]\nbase_url = "u"\n', "model.name is needed"),
    ],
)
def test_a_misspelt_or_missing_key_of_a_file(empty_folder: Path, text: str, hint: str) -> None:
    file = write(empty_folder, text)
    said = problem()
    assert said.startswith(str(file))
    assert hint in said


def test_a_misspelt_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMBARK_TENNANT", "x")
    assert problem() == "EMBARK_TENNANT: no such setting; did you mean EMBARK_TENANT?"


def test_json_that_is_none_is_a_mistake_of_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMBARK_SOURCES", "[{")
    assert "sources" in problem()


def test_a_flag_is_named_as_a_flag() -> None:
    assert problem({"answer.risk": "high"}).startswith("flag: answer.risk: ")


def test_broken_toml_says_where(empty_folder: Path) -> None:
    file = write(empty_folder, "tenant = \n")
    assert problem().startswith(f"{file}: not valid TOML")
    assert "line 1" in problem()


def test_a_named_file_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no such file"):
        load_settings(tmp_path / "nowhere.toml")


@pytest.mark.parametrize(
    ("text", "variable"),
    [
        ('[model]\napi_key = "sk-1"\n', "EMBARK_MODEL__API_KEY"),
        ('[index]\napi_key = "k"\n', "EMBARK_INDEX__API_KEY"),
        ('[database]\nurl = "postgresql://u:p@h/d"\n', "EMBARK_DATABASE__URL"),
    ],
)
def test_a_secret_in_a_file_is_refused(empty_folder: Path, text: str, variable: str) -> None:
    write(empty_folder, text)
    said = problem()
    assert variable in said
    assert "sk-1" not in said


def test_a_database_address_without_a_password_may_stand_in_a_file(empty_folder: Path) -> None:
    write(empty_folder, '[database]\nurl = "postgresql://h/d"\n')
    url = load_settings().settings.database.url
    assert url is not None
    assert url.get_secret_value() == "postgresql://h/d"


def test_secrets_are_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("BASE_URL", "u"), ("NAME", "m"), ("API_KEY", "sk-1")):
        monkeypatch.setenv(f"EMBARK_MODEL__{name}", value)
    assert origins()["model.api_key"] == ("********", "env EMBARK_MODEL__API_KEY")
