"""The OpenAPI 3.1 document: FastAPI's, with our problem documents where it describes its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import FastAPI

from api.errors import MEDIA_TYPE
from api.schemas import ProblemBody

_REF = "#/components/schemas/{model}"


def problem(description: str) -> dict[str, Any]:
    """A response that carries a problem document."""
    schema = {"$ref": _REF.format(model=ProblemBody.__name__)}
    return {"description": description, "content": {MEDIA_TYPE: {"schema": schema}}}


def describe(app: FastAPI) -> None:
    """Make `app.openapi()` say how errors really look."""
    generated: Callable[[], dict[str, Any]] = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _with_problems(generated())
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way


def _with_problems(document: dict[str, Any]) -> dict[str, Any]:
    schemas = document["components"]["schemas"]
    for foreign in ("HTTPValidationError", "ValidationError"):
        schemas.pop(foreign, None)
    schemas[ProblemBody.__name__] = ProblemBody.model_json_schema(ref_template=_REF)
    for path in document["paths"].values():
        for operation in path.values():
            responses = operation["responses"]
            if "422" in responses:
                responses["422"] = problem("The request does not fit")
            responses["default"] = problem("Anything else that goes wrong")
    return document
