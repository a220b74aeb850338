"""EncoderError
├── ModelNotFoundError       no such model here, and fetching is not allowed
├── DamagedModelError        weights are not the ones that were published
├── UnsupportedModelError    architecture that the converted graph cannot reproduce
└── ConversionError          conversion failed, or its vectors are not the model's
"""

from __future__ import annotations

from retrieval.index import RetrievalError


class EncoderError(RetrievalError):
    """Base of everything that keeps an encoder from being built."""


class ModelNotFoundError(EncoderError):
    """The model is neither a folder, nor packaged, nor in the hub's cache."""


class DamagedModelError(EncoderError):
    """A file's hash is not the one that belongs to it."""


class UnsupportedModelError(EncoderError):
    """The model's modules are not transformer, mean or CLS pooling, and normalisation."""


class ConversionError(EncoderError):
    """The converted graph could not be made, or is not faithful to the model."""
