"""The rules of the house that a type checker cannot hold."""

from __future__ import annotations

import ast
import re
import subprocess
import tomllib
from collections.abc import Callable, Iterator
from importlib.metadata import packages_distributions
from importlib.resources import files
from pathlib import Path

import importlinter.api as importlinter
import pytest
from importlinter.application.use_cases import lint_imports

ROOT = Path(__file__).parent.parent
PACKAGES = (
    "agent",
    "api",
    "embark",
    "evals",
    "guardrails",
    "ingest",
    "onboarding",
    "retrieval",
    "tools",
)
PICKLES = {"pickle", "_pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
CLOCKS = {"datetime.now", "datetime.utcnow", "datetime.today", "date.today", "time.time"}
SEEDED = {"Random", "SystemRandom", "default_rng", "Generator", "SeedSequence", "PCG64"}
DATA = {".md", ".json", ".jsonl", ".toml", ".yaml", ".html", ".css", ".js", ".svg", ".npz"}

Finding = Iterator[tuple[int, str]]


def sources(*packages: str) -> Iterator[tuple[Path, ast.Module]]:
    for package in packages or PACKAGES:
        for file in sorted((ROOT / package).rglob("*.py")):
            yield file.relative_to(ROOT), ast.parse(file.read_text(encoding="utf-8"), str(file))


def offences(rule: Callable[[ast.AST], Finding], *packages: str) -> list[str]:
    return [
        f"{file}:{line}: {what}"
        for file, module in sources(*packages)
        for node in ast.walk(module)
        for line, what in rule(node)
    ]


def imported(node: ast.AST) -> Finding:
    """Absolute module names that an import statement names."""
    if isinstance(node, ast.Import):
        yield from ((node.lineno, alias.name) for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
        yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def importing(*names: str) -> Callable[[ast.AST], Finding]:
    def rule(node: ast.AST) -> Finding:
        for line, module in imported(node):
            if any(module == name or module.startswith(f"{name}.") for name in names):
                yield line, f"imports {module}"

    return rule


def calls(node: ast.AST) -> str | None:
    return ast.unparse(node.func) if isinstance(node, ast.Call) else None


def others(*packages: str) -> list[str]:
    return [package for package in PACKAGES if package not in packages]


def test_imports_point_downwards(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    kept = lint_imports("pyproject.toml", cache_dir=None, no_logo=True)
    assert kept, capsys.readouterr().out


def test_no_contract_has_exceptions() -> None:
    contracts = importlinter.read_configuration(str(ROOT / "pyproject.toml"))["contracts_options"]
    assert [contract["name"] for contract in contracts if "ignore_imports" in contract] == []
    assert len(contracts) >= 1


def test_no_other_distribution_claims_our_package_names() -> None:
    claims = packages_distributions()
    assert all(set(claims.get(name, [])) <= {"embark-copilot"} for name in PACKAGES)


def test_every_package_says_its_arrow() -> None:
    silent = [p for p in PACKAGES if not ast.get_docstring(_module(p))]
    assert silent == []


def _module(package: str) -> ast.Module:
    return ast.parse((ROOT / package / "__init__.py").read_text(encoding="utf-8"))


def test_only_guardrails_makes_redacted_text() -> None:
    def rule(node: ast.AST) -> Finding:
        if (calls(node) or "").split(".")[-1] == "Redacted" and isinstance(node, ast.Call):
            yield node.lineno, "makes Redacted from plain text; ask a Redactor"

    assert offences(rule, *others("guardrails")) == []
    assert offences(rule, "guardrails") != []  # the scan sees what it looks for


def test_literal_takes_a_literal() -> None:
    def ours(module: ast.Module) -> bool:
        return any(any(importing("guardrails.literal")(node)) for node in ast.walk(module))

    given = [
        (f"{file}:{node.lineno}", node.args[0])
        for file, module in sources()
        if ours(module)
        for node in ast.walk(module)
        if isinstance(node, ast.Call) and calls(node) == "literal"
    ]
    assert given != []
    assert [where for where, text in given if not isinstance(text, ast.Constant)] == []


def test_nothing_is_unpickled() -> None:
    def rule(node: ast.AST) -> Finding:
        yield from importing(*PICKLES)(node)
        if isinstance(node, ast.Call):
            if calls(node) == "torch.load":
                yield node.lineno, "torch.load unpickles"
            for keyword in node.keywords:
                if keyword.arg in {"allow_pickle", "pickle_fallback", "trust_remote_code"} and not (
                    isinstance(keyword.value, ast.Constant) and keyword.value.value is False
                ):
                    yield node.lineno, f"{keyword.arg} must be False"

    assert offences(rule) == []


def test_no_loader_that_runs_what_it_reads() -> None:
    banned = importing("langchain_core.load", "langchain_core.prompts.loading")

    def rule(node: ast.AST) -> Finding:
        yield from banned(node)
        if not isinstance(node, ast.Call):
            return
        name = calls(node) or ""
        if name in {"eval", "exec"} or name.split(".")[-1] in {"load_prompt", "astream_log"}:
            yield node.lineno, f"calls {name}"

    assert offences(rule) == []


def test_the_clock_is_an_argument() -> None:
    def rule(node: ast.AST) -> Finding:
        name = ".".join((calls(node) or "").split(".")[-2:])
        if name in CLOCKS and isinstance(node, ast.Call):
            yield node.lineno, f"{name}(): take `now` as an argument"

    assert offences(rule, *others("embark")) == []


def test_randomness_is_seeded() -> None:
    def rule(node: ast.AST) -> Finding:
        name = calls(node) or ""
        module, _, function = name.rpartition(".")
        if module in {"random", "np.random", "numpy.random"} and function not in SEEDED:
            assert isinstance(node, ast.Call)
            yield node.lineno, f"{name}(): take `rng` as an argument"

    assert offences(rule, *others("embark")) == []


@pytest.mark.parametrize(
    ("names", "homes"),
    [
        (("langgraph",), ("agent",)),
        (("qdrant_client", "qdrant_edge"), ("retrieval",)),
        # evaluation compares with the reference encoder, and its fitting scripts have options
        (("sentence_transformers", "openvino", "onnxruntime", "torch"), ("retrieval", "evals")),
        (("presidio_analyzer", "presidio_anonymizer"), ("guardrails",)),
        (("typer",), ("embark", "evals")),
        (("fastapi", "starlette"), ("api",)),
        (("uvicorn",), ("embark",)),
    ],
)
def test_a_library_stays_in_its_package(names: tuple[str, ...], homes: tuple[str, ...]) -> None:
    assert offences(importing(*names), *others(*homes)) == []
    assert offences(importing(*names), *homes) != []  # else the rule is about nothing


def test_settings_stay_in_the_composition_root() -> None:
    assert offences(importing("embark.settings"), *others("embark")) == []
    assert offences(importing("embark.settings"), "embark") != []


def test_package_data_is_found_and_travels() -> None:
    """Hatchling ships what git does not ignore; readers find it through importlib.resources."""
    data = [
        file.relative_to(ROOT)
        for package in PACKAGES
        for file in (ROOT / package).rglob("*")
        if file.suffix in DATA and file.is_file()
    ]
    assert any(file.match("agent/prompts/*.md") for file in data)
    for file in data:
        assert files(file.parts[0]).joinpath(*file.parts[1:]).is_file()
    if (ROOT / ".git").exists():
        listed = "\n".join(str(file) for file in data)
        ignored = subprocess.run(
            ["git", "check-ignore", "--stdin"],
            cwd=ROOT,
            input=listed,
            capture_output=True,
            text=True,
            check=False,
        )
        assert ignored.stdout == ""


def test_every_direct_dependency_has_its_reason() -> None:
    page = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"].values()
    wanted = [*project["dependencies"], *(name for group in extras for name in group)]
    names = {re.split(r"[\[<>=]", requirement)[0] for requirement in wanted}
    assert {n for n in names - {"embark-copilot"} if f"| {n} |" not in page} == set()


def test_the_lock_names_versions_and_nothing_else() -> None:
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    assert [pin for pin in pins if not re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.]+", pin)] == []
    assert "torch==2.13.0" in pins
