"""An answerer over any LangChain chat model, such as ChatOpenAI with a base URL of its own.

It reads untrusted text and therefore holds no tools: what comes out is drafted units with positions
of passages, and whatever else the model writes is dropped. Nothing here is shown before
verification has let it through.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from typing import Any

import httpx
import httpx2
import openai
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessageChunk, BaseMessage, HumanMessage, SystemMessage
from typing_extensions import override

from agent.answerers.objects import ObjectReader
from agent.prompts import prompt, prompt_version
from agent.types import Answerer, AnswererError, Block, Draft, Spent, Utterance
from guardrails import Redacted, neutralise, sanitise, spotlight, stored
from retrieval.types import Passage

PROMPT = "answer"
LONGEST_REPLY = 64_000
"""Characters after which a reply is cut: several times the longest honest answer."""
EARLIER = 6
"""Messages of the conversation that the model sees."""
PROVIDER_ERRORS: tuple[type[Exception], ...] = (
    openai.OpenAIError,
    httpx.HTTPError,
    httpx2.HTTPError,  # the transport of openai 3
    OSError,
    ValueError,  # a body that is not JSON, or holds no choices
    TypeError,  # null where the protocol has a list
    KeyError,
)
"""What chat models raise when the provider fails or answers outside its protocol."""
_ENDINGS = ("finish_reason", "stop_reason", "done_reason", "stopReason")
_WHOLE = frozenset({"stop", "end_turn", "stop_sequence", "STOP", "eos"})
_MARKER = re.compile(r"\s?\[\d+\]")
_NOTHING = "none"


class GenerativeAnswerer(Answerer):
    """Drafts with a chat model; one call a question, streamed."""

    def __init__(
        self,
        model: BaseChatModel,
        name: str,
        *,
        errors: tuple[type[Exception], ...] = PROVIDER_ERRORS,
        rng: random.Random | None = None,
    ) -> None:
        """`name` goes into the decision record. `rng` makes the code in the fences around passages,
        which no document can know beforehand: the system's unless a test wants it fixed."""
        self._model = model
        self._name = name
        self._errors = errors
        self._rng = rng or random.SystemRandom()

    @property
    @override
    def name(self) -> str:
        return self._name

    @property
    def prompt_version(self) -> str:
        return prompt_version(PROMPT)

    @override
    async def draft(
        self, question: Redacted, passages: Sequence[Passage], history: Sequence[Utterance]
    ) -> AsyncGenerator[Draft | Spent, None]:
        """Raises AnswererError when the provider fails, the reply breaks off or holds no unit."""
        if not passages:
            return
        reply = _Reply()
        messages = self._messages(question, passages, history)
        try:
            async for chunk in self._model.astream(messages):
                for draft in reply.read(chunk):
                    yield draft
                if reply.too_long:
                    break
        except self._errors as error:
            raise AnswererError(
                f"the model {self._name!r} failed: {type(error).__name__}", partial=reply.units > 0
            ) from error
        yield reply.spent()
        reply.check(self._name)

    def _messages(
        self, question: Redacted, passages: Sequence[Passage], history: Sequence[Utterance]
    ) -> list[BaseMessage]:
        parts: list[str] = [spotlight([_readable(passage) for passage in passages], self._rng)]
        parts += [f"Earlier in this conversation:\n{_said(history)}"] if history else []
        parts.append(f"The question:\n{question}")
        return [SystemMessage(prompt(PROMPT)), HumanMessage("\n\n".join(parts))]


def _readable(passage: Passage) -> Redacted:
    """What the model reads of a passage: nothing hidden, and no link or image to repeat."""
    chunk = passage.chunk
    where = " > ".join((chunk.title, *chunk.heading_path))
    return stored(sanitise(neutralise(stored(f"{where}\n{chunk.text}"))))


def _said(history: Sequence[Utterance]) -> str:
    lines = (f"{u.role}: {_MARKER.sub('', ' '.join(u.text.split()))}" for u in history[-EARLIER:])
    return "\n".join(lines)


class _Reply:
    """What one reply has said so far."""

    def __init__(self) -> None:
        self.units = 0
        self._reader = ObjectReader()
        self._usage: Counter[str] = Counter()
        self._ending: str | None = None
        self._none = False
        self._characters = 0

    @property
    def too_long(self) -> bool:
        return self._characters > LONGEST_REPLY

    def read(self, chunk: AIMessageChunk) -> list[Draft]:
        self._note(chunk)
        text = _text(chunk.content)
        self._characters += len(text)
        drafts = [d for d in map(self._draft, self._reader.feed(text)) if d is not None]
        self.units += len(drafts)
        return drafts

    def spent(self) -> Spent:
        self._reader.end()
        return Spent(self._usage, self._reader.malformed)

    def check(self, name: str) -> None:
        """Raises AnswererError for a reply that is none, or that did not come to its end."""
        if self._ending not in _WHOLE:
            why = f"ended with {self._ending!r}" if self._ending else "broke off"
            raise AnswererError(f"the reply of {name!r} {why}", partial=self.units > 0)
        if not self.units and not self._none:
            raise AnswererError(f"the reply of {name!r} holds no unit of an answer")

    def _note(self, chunk: AIMessageChunk) -> None:
        if chunk.usage_metadata is not None:
            self._usage["input_tokens"] += chunk.usage_metadata["input_tokens"]
            self._usage["output_tokens"] += chunk.usage_metadata["output_tokens"]
        for key in _ENDINGS:
            self._ending = chunk.response_metadata.get(key) or self._ending

    def _draft(self, unit: dict[str, object]) -> Draft | None:
        if unit.get("kind") == _NOTHING:
            self._none = True
            return None
        draft = _draft(unit)
        if draft is None:
            self._reader.malformed += 1
        return draft


def _draft(unit: dict[str, object]) -> Draft | None:
    """None for what is no unit. Sources that are no numbers are left out, and the unit is then
    dropped by verification for want of proof."""
    kind, text, sources = unit.get("kind"), unit.get("text"), unit.get("sources", [])
    if not isinstance(kind, str) or kind not in set(Block):
        return None
    if not isinstance(text, str) or not isinstance(sources, list):
        return None
    language = unit.get("language")
    return Draft(
        text=stored(text),
        markers=tuple(s for s in sources if isinstance(s, int) and not isinstance(s, bool)),
        block=Block(kind),
        language=language if isinstance(language, str) else None,
    )


def _text(content: str | list[str | dict[Any, Any]]) -> str:
    """The text of a chunk; reasoning, tool calls and images are not read."""
    if isinstance(content, str):
        return content
    parts = (part if isinstance(part, str) else part.get("text", "") for part in content)
    return "".join(part for part in parts if isinstance(part, str))
