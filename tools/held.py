"""What the user typed and no model may see: held under the subject's key, named by tokens.

`invite ana@acme.io` is kept as `invite <EMAIL_ADDRESS_1>`. Router, models, logs and checkpoints see
the token; the desk puts the value back once, when the proposal is written, so that digest and card
cover real values. Tokens are of one conversation and mean nothing in another.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from guardrails import Redacted, Redaction
from guardrails.labels import Integrity
from tools.types import Arguments


class UnknownTokenError(ValueError):
    """The arguments name a token that this conversation does not hold."""

    def __init__(self, token: str) -> None:
        super().__init__(f"{token} is not a value of this conversation")
        self.token = token


@dataclass(frozen=True, slots=True)
class Held:
    """A held value without the value. `shape` is what may be known of it: the prefix of a key, the
    scheme and the names of the parts of a connection string, the domain of an e-mail address.

    Parts are tokens too: `<URL_1.host>`.
    """

    token: str  # `<TYPE_N>`, N from 1 within the conversation
    type: str
    shape: Mapping[str, str] = field(default_factory=dict)
    integrity: Integrity = Integrity.USER_TYPED


class HeldValues(Protocol):
    """Durable. The same value in the same conversation keeps its token."""

    async def hold(
        self, tenant: str, subject: str, thread_id: str, original: str, redaction: Redaction
    ) -> Redacted:
        """The redacted text with a numbered token for every span; the values are stored."""
        ...

    async def known(self, tenant: str, thread_id: str) -> tuple[Held, ...]: ...

    async def restore(
        self, tenant: str, subject: str, thread_id: str, arguments: Arguments
    ) -> Arguments:
        """Every token anywhere in the arguments replaced by its value, part tokens included.

        Raises UnknownTokenError; KeyDestroyedError after an erasure.
        """
        ...

    async def shown(self, tenant: str, subject: str, thread_id: str, text: str) -> str:
        """Text for the owner's own eyes; secrets stay masked, unknown tokens stay as they are."""
        ...
