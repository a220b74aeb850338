"""A guard taken out of a function where it stands: one expression becomes another, in the code that
everybody already holds."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from types import CodeType, FunctionType
from typing import Any

from typing_extensions import override


@dataclass(frozen=True, slots=True)
class Cut:
    """`expression`, as it is written, becomes `instead` wherever it stands in the function."""

    function: Callable[..., Any]
    expression: str
    instead: str

    @property
    def name(self) -> str:
        return f"{self.function.__module__}.{self.function.__qualname__}: {self.expression}"


_READ = ast.Load()


class _Replacing(ast.NodeTransformer):
    def __init__(self, cut: Cut) -> None:
        self._wanted = ast.unparse(ast.parse(cut.expression, mode="eval"))
        self._instead = ast.parse(cut.instead, mode="eval").body
        self.found = 0

    @override
    def visit(self, node: ast.AST) -> Any:
        read = isinstance(node, ast.expr) and isinstance(getattr(node, "ctx", _READ), ast.Load)
        if read and ast.unparse(node) == self._wanted:
            self.found += 1
            return self._instead
        return self.generic_visit(node)


@contextmanager
def made(*cuts: Cut) -> Iterator[None]:
    """Until the block ends. Raises LookupError when there is no such expression: the guard was
    written anew, and the cut has to follow it."""
    with ExitStack() as undo:
        for function in {cut.function: None for cut in cuts}:
            plain = inspect.unwrap(function)
            assert isinstance(plain, FunctionType)
            fewer = _without(plain, [cut for cut in cuts if cut.function == function])
            undo.callback(setattr, plain, "__code__", plain.__code__)
            plain.__code__ = fewer
        yield


def _without(function: FunctionType, cuts: Sequence[Cut]) -> CodeType:
    tree: Any = ast.parse(textwrap.dedent(inspect.getsource(function)))
    for cut in cuts:
        replacing = _Replacing(cut)
        tree = ast.fix_missing_locations(replacing.visit(tree))
        if not replacing.found:
            raise LookupError(f"{cut.name}: there is no such expression any more")
    definition = tree.body[0]
    assert isinstance(definition, (ast.FunctionDef, ast.AsyncFunctionDef))
    definition.decorator_list.clear()
    if function.__code__.co_freevars:
        raise LookupError(f"{cuts[0].name}: the function closes over names; cut a plain one")
    found: dict[str, Any] = {}
    exec(compile(tree, function.__code__.co_filename, "exec"), dict(function.__globals__), found)
    code: CodeType = found[function.__name__].__code__
    return code
