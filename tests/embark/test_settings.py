from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from embark.settings import ModelSettings, Settings, SourceSettings, default_data_dir


def test_defaults_need_no_key_no_server_and_no_file() -> None:
    settings = Settings()
    assert settings.tenant == "default"
    assert settings.model is None
    assert settings.index.kind == "edge"
    assert settings.viewer is None


def test_settings_do_not_read_the_environment_by_themselves(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("EMBARK_TENANT", "acme")
    assert Settings().tenant == "default"


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Settings().__setattr__("tenant", "other")


@pytest.mark.parametrize("xdg", [True, False])
def test_data_goes_to_the_xdg_data_directory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, xdg: bool
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    if xdg:
        monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    else:
        monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    wanted = tmp_path / ("share/embark" if xdg else ".local/share/embark")
    assert default_data_dir() == wanted


@pytest.mark.parametrize(
    ("kind", "lacks"), [("folder", "path"), ("git", "path"), ("sitemap", "url")]
)
def test_a_source_says_what_it_lacks(kind: str, lacks: str) -> None:
    with pytest.raises(ValidationError, match=f"needs `{lacks}`"):
        SourceSettings.model_validate({"id": "docs", "kind": kind})


def test_two_sources_cannot_share_an_id() -> None:
    twice = [{"id": "docs", "path": "a"}, {"id": "docs", "path": "b"}]
    with pytest.raises(ValidationError, match="share the id docs"):
        Settings.model_validate({"sources": twice})


def test_a_server_index_needs_an_address() -> None:
    with pytest.raises(ValidationError, match="needs `url`"):
        Settings.model_validate({"index": {"kind": "server"}})


def test_a_key_comes_from_a_value_a_file_or_a_named_variable(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "key").write_text("from-file\n", encoding="utf-8")
    monkeypatch.setenv("OPENAI_API_KEY", "from-variable")
    base = {"base_url": "http://127.0.0.1:1/v1", "name": "m"}

    def key(**given: object) -> str | None:
        return ModelSettings.model_validate(base | given).key()

    assert key() is None
    assert key(api_key="direct") == "direct"
    assert key(api_key_file=tmp_path / "key") == "from-file"
    assert key(api_key_env="OPENAI_API_KEY") == "from-variable"


def test_a_key_is_not_shown_by_repr() -> None:
    model = ModelSettings.model_validate({"base_url": "u", "name": "m", "api_key": "sk-1"})
    assert "sk-1" not in repr(model)
