"""Harbor's own pages: one document and its modules, which use the public API alone."""

from harbor.web.pages import routes

__all__ = ["routes"]
