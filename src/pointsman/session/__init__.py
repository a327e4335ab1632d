"""What one conversation must keep from turn to turn: the model inside a tool loop, and what prompt caches are worth."""

from .caches import Cached, cached_after
from .conversation import conversation_key, in_tool_loop, is_open_ended
from .keep import SessionRules, Sessions
from .state import SessionState
from .switching import Side, Weighed, weigh

__all__ = [
    "Cached",
    "SessionRules",
    "SessionState",
    "Sessions",
    "Side",
    "Weighed",
    "cached_after",
    "conversation_key",
    "in_tool_loop",
    "is_open_ended",
    "weigh",
]
