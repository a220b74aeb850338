"""settings -> wiring -> one composed copilot -> the `embark` command."""

__version__ = "0.1.0"

__all__ = ["__version__"]
