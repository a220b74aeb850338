from __future__ import annotations

import pytest

from agent import Conversations, MemoryConversations
from tests.contracts.conversations import ConversationsContract


class TestMemoryConversations(ConversationsContract):
    @pytest.fixture
    def store(self) -> Conversations:
        return MemoryConversations()
