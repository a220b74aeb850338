"""`embark tools lint` says what is wrong with the flow files, too."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from embark.cli import app
from tests.harbor.running import ROOT, running_harbor

HARBOR = ROOT / "examples" / "harbor"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("", "", ""),
        ("do: create_invites_bulk", "do: no_such_tool", "there is no tool no_such_tool"),
        ("tier: 2", "tier: 9", "less than or equal to 4"),
    ],
)
def test_flows_are_linted(tmp_path: Path, old: str, new: str, said: str) -> None:
    flows = shutil.copytree(HARBOR / "flows", tmp_path / "flows")
    file = flows / "invite_team.yaml"
    file.write_text(file.read_text("utf-8").replace(old, new) if old else file.read_text("utf-8"))
    with running_harbor(tmp_path / "harbor") as harbor:
        policy = (HARBOR / "tools.yaml").read_text("utf-8")
        tools = tmp_path / "tools.yaml"
        tools.write_text(policy.replace("127.0.0.1:8420", f"127.0.0.1:{harbor.port}"))
        given = {
            "actions.tools": str(tools),
            "actions.flows": str(flows),
            "actions.private_hosts": f'["127.0.0.1:{harbor.port}"]',
            "data_dir": str(tmp_path / "data"),
        }
        options = [part for name, v in given.items() for part in ("--set", f"{name}={v}")]
        command = ["--config", str(HARBOR / "embark.toml"), *options, "tools", "lint"]
        done = CliRunner().invoke(app, command)

    assert done.exit_code == int(bool(said)), done.output
    assert said in done.output.replace("\n", " ")
