"""question -> route -> retrieve -> assess -> answer, verified unit by unit -> stream and store.

Adapters (answerers, SQL conversations, the AG-UI translator) are imported by file by whoever
chooses them.
"""

import os

# langgraph reads this once, at import; without it a forged checkpoint can run code
os.environ["LANGGRAPH_STRICT_MSGPACK"] = "true"

from agent.checkpoints import UnsafeCheckpointsError, memory_saver, sqlite_saver
from agent.conversations import (
    Conversation,
    ConversationError,
    Conversations,
    ConversationsUnavailableError,
    MemoryConversations,
    Message,
    Status,
    UnknownThreadError,
)
from agent.copilot import BadAskError, Copilot
from agent.deps import Budget, Deps
from agent.types import (
    Answer,
    Answerer,
    AnswererError,
    Ask,
    Draft,
    Numbered,
    Refusal,
    RunEvent,
)
from agent.verification import Grounding

__all__ = [
    "Answer",
    "Answerer",
    "AnswererError",
    "Ask",
    "BadAskError",
    "Budget",
    "Conversation",
    "ConversationError",
    "Conversations",
    "ConversationsUnavailableError",
    "Copilot",
    "Deps",
    "Draft",
    "Grounding",
    "MemoryConversations",
    "Message",
    "Numbered",
    "Refusal",
    "RunEvent",
    "Status",
    "UnknownThreadError",
    "UnsafeCheckpointsError",
    "memory_saver",
    "sqlite_saver",
]
