"""Which model's upstream holds which response, and whose it is."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

MAX_RESPONSES = 100_000
"""About 30 MB; OpenAI itself keeps responses for 30 days (platform.openai.com/docs/guides/conversation-state)."""


@dataclass(frozen=True, slots=True)
class Held:
    """A response that an upstream may still hold."""

    model: str
    key_id: str | None
    """The gateway key whose request made it; None where no keys are asked for."""


class HeldResponses:
    """The latest responses by id, in memory: after a restart nothing is known of those before."""

    def __init__(self, *, max_responses: int = MAX_RESPONSES) -> None:
        self._max = max_responses
        self._held: OrderedDict[str, Held] = OrderedDict()
        self.tell: Callable[[str, Held | None], None] | None = None
        """Called with a response that was noted here, and None when it was deleted."""

    def put(self, response_id: str, held: Held) -> None:
        """Notes a response; the oldest makes room."""
        self.adopt(response_id, held)
        if self.tell is not None:
            self.tell(response_id, held)

    def adopt(self, response_id: str, held: Held) -> None:
        """Notes a response that another replica knows of."""
        self._held[response_id] = held
        self._held.move_to_end(response_id)
        while len(self._held) > self._max:
            self._held.popitem(last=False)

    def get(self, response_id: str) -> Held | None:
        """What is known of a response."""
        return self._held.get(response_id)

    def forget(self, response_id: str) -> None:
        """Drops a response that was deleted."""
        self._held.pop(response_id, None)
        if self.tell is not None:
            self.tell(response_id, None)
