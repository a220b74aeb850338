"""The widget in Chromium, on a page of another origin, before a real Embark and a real Harbor.

Needs Node, `npm ci` in `web` and Chromium; skipped with a word where they are missing.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from tests.contracts.test_web import MISSING as NO_NODE
from tests.contracts.test_web import WEB
from tests.e2e.onboarding.people import signed_up
from tests.e2e.onboarding.stage import Running, running
from tests.e2e.widget.host import host_server, hosting, origin_of, points_to

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
MISSING = [*NO_NODE, *([] if CHROMIUM else ["chromium is not installed"])]
pytestmark = [
    pytest.mark.alone,
    pytest.mark.skipif(bool(MISSING), reason=MISSING[0] if MISSING else ""),
]
SUITES = sorted(path.name for path in (WEB / "browser").glob("*.test.mjs"))


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """What a suite is told of who runs."""
    server = host_server()
    with pytest.MonkeyPatch.context() as patch, hosting(server):
        allowed = orjson.dumps([origin_of(server)]).decode()
        patch.setenv("EMBARK_SERVER__ALLOWED_ORIGINS", allowed)
        with running(tmp_path_factory.mktemp("widget")) as product:
            points_to(product.stage.url)
            yield _told(product, origin_of(server))


def _told(product: Running, host: str) -> dict[str, str]:
    people = [signed_up(product).token for _ in range(8)]
    return {
        **os.environ,
        "CHROMIUM": CHROMIUM or "",
        "HOST_PAGE": f"{host}/",
        "EMBARK_URL": product.stage.url,
        "TOKENS": ",".join(people),
    }


@pytest.mark.parametrize("suite", SUITES)
def test_in_the_browser(suite: str, stage: dict[str, str], tmp_path: Path) -> None:
    done = subprocess.run(
        ["node", "--test", "--test-reporter=spec", f"browser/{suite}"],
        cwd=WEB,
        env={**stage, "SHOTS": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
