"""The conversations that are remembered: in memory, bounded, gone after a restart."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pointsman.vocabulary import Dialect, Model, Request, Usage

from .caches import Cached, cached_after
from .conversation import conversation_key, response_key
from .state import SessionState

MAX_SERVED = 8
"""Models of one conversation that are remembered."""


@dataclass(frozen=True, slots=True)
class SessionRules:
    """The configured rules.

    Attributes:
        hold_tool_loops: the model that called tools gets their results.
        weigh_caches: leave a model whose provider keeps the prompt only where that pays.
        cache_ttl_s: how long a provider keeps a prompt after it was last used.
        idle_s: how long a conversation is remembered.
        max_sessions: how many are; the one that was idle longest makes room. About 500 bytes each.
    """

    hold_tool_loops: bool = True
    weigh_caches: bool = True
    cache_ttl_s: float = 300.0
    idle_s: float = 3_600.0
    max_sessions: int = 50_000


class Sessions:
    """What is remembered, by conversation. For one event loop, or one thread; requests of one conversation may overlap:
    the one that ends last is remembered."""

    def __init__(self, rules: SessionRules = SessionRules()) -> None:
        self.rules = rules
        self.tell: Callable[[Sequence[str], SessionState], None] | None = None
        """Called with the names and state of a conversation that was answered here."""
        self._states: OrderedDict[str, SessionState] = OrderedDict()

    def __len__(self) -> int:
        return len(self._states)

    def of(self, request: Request, now_s: float) -> SessionState | None:
        """What is known of the conversation that a request continues; None for a new one and for none."""
        key = conversation_key(request)
        state = None if key is None else self._states.get(key)
        if state is None or now_s - state.answered_s >= self.rules.idle_s:
            return None
        return state

    def answered(
        self, request: Request, model: Model, usage: Usage | None, now_s: float, *, response_id: str | None = None
    ) -> None:
        """Notes who answered a request, and what its provider's cache holds now.

        Args:
            response_id: of a Responses answer, by which the next request may name its conversation.
        """
        key = conversation_key(request)
        if key is None and response_id is None:
            return
        before = self.of(request, now_s)
        served = () if before is None else tuple(name for name in before.served if name != model.name)
        cached = {} if before is None else dict(before.cached)
        tokens = 0 if usage is None else cached_after(model, usage)
        if tokens > 0:
            cached[model.name] = Cached(tokens, now_s)
        else:
            cached.pop(model.name, None)
        kept = (*served, model.name)[-MAX_SERVED:]
        state = SessionState(
            model=model.name,
            answered_s=now_s,
            served=kept,
            cached={name: cached[name] for name in kept if name in cached},
            n_foreign=_n_foreign(before, request, model),
        )
        also = None if response_id is None else response_key(request, response_id)
        names = [name for name in (key, also) if name is not None]
        for name in names:
            self._remember(name, state)
        if self.tell is not None:
            self.tell(names, state)

    def adopt(self, name: str, state: SessionState) -> None:
        """Takes over what another replica knows of a conversation, unless this one knows something newer."""
        known = self._states.get(name)
        if known is None or known.answered_s < state.answered_s:
            self._remember(name, state)

    def _remember(self, name: str, state: SessionState) -> None:
        self._states[name] = state
        self._states.move_to_end(name)
        while len(self._states) > self.rules.max_sessions:
            self._states.popitem(last=False)

    def cached_tokens(self, state: SessionState | None, model: str, now_s: float) -> int:
        """Tokens of the conversation's beginning that a model's provider still keeps."""
        known = None if state is None else state.cached.get(model)
        return 0 if known is None else known.tokens_at(now_s, self.rules.cache_ttl_s)


def _n_foreign(before: SessionState | None, request: Request, model: Model) -> int:
    if before is None:
        return 0
    if before.model == model.name:
        return before.n_foreign
    said = request.body.get("input" if request.dialect is Dialect.OPENAI_RESPONSES else "messages")
    return len(said) if isinstance(said, list) else 0
