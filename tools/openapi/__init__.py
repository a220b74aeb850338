"""OpenAPI document -> operations -> requests with the user's own rights."""

from tools.openapi.backend import OpenApiBackend, OpenApiParts
from tools.openapi.document import Document, DocumentError, load_document

__all__ = ["Document", "DocumentError", "OpenApiBackend", "OpenApiParts", "load_document"]
