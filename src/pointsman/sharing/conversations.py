"""Conversations and held responses in the shared store: read when a request comes, told when an answer has ended.

Their names are hashed: they hold what clients call their sessions. Times cross as ages, by the store's clock.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

import orjson

from pointsman.call.held import Held, HeldResponses
from pointsman.session import Cached, Sessions, SessionState, conversation_key
from pointsman.vocabulary import Clock, Request

HELD_FOR_S = 86_400.0
"""How long the store knows which upstream holds a response; the replica that passed it on knows it for longer."""


class SharedConversations:
    """Keeps `sessions` and `held` of one replica up to those of the others.

    Args:
        key: makes the name of a key of the store.
        put: a value to be told: its key, text, and milliseconds to live; None to forget it.
        clock: the one by which sessions are dated.
    """

    def __init__(
        self,
        sessions: Sessions,
        held: HeldResponses,
        *,
        key: Callable[..., str],
        put: Callable[[str, tuple[str, int] | None], None],
        clock: Clock,
    ) -> None:
        self._sessions = sessions
        self._held = held
        self._key = key
        self._put = put
        self._clock = clock
        sessions.tell = self._answered
        held.tell = self._holds

    def names(self, request: Request) -> tuple[str, ...]:
        """The keys of what others may know of a request; `adopt` takes their values."""
        conversation = conversation_key(request)
        previous = request.body.get("previous_response_id")
        out = () if conversation is None else (self._key("session", _digest(conversation)),)
        return (*out, self._held_key(previous)) if isinstance(previous, str) and previous else out

    def adopt(self, request: Request, now_ms: float, values: Sequence[bytes]) -> None:
        """Takes over what others know, where it is newer than what is known here."""
        names, left = [conversation_key(request)], list(values)
        if names[0] is not None:
            self._adopt_session(names[0], now_ms, left.pop(0))
        previous = request.body.get("previous_response_id")
        if left and isinstance(previous, str):
            self.adopt_held(previous, left[0])

    def held_name(self, response_id: str) -> str:
        """The key of what others may know of a response."""
        return self._held_key(response_id)

    def adopt_held(self, response_id: str, value: bytes) -> None:
        """Takes over which upstream holds a response, where it is not known here."""
        if value and self._held.get(response_id) is None:
            model, key_id = orjson.loads(value.partition(b" ")[2])
            self._held.adopt(response_id, Held(model, key_id))

    def _held_key(self, response_id: str) -> str:
        return self._key("held", _digest(response_id))

    def _adopt_session(self, name: str, now_ms: float, value: bytes) -> None:
        if not value:
            return
        at_ms, _, text = value.partition(b" ")
        now_s = self._clock()
        self._sessions.adopt(name, _state(text, now_s - max(0.0, now_ms - float(at_ms)) / 1e3))

    def _answered(self, names: Sequence[str], state: SessionState) -> None:
        text, lives_ms = _text(state), int(self._sessions.rules.idle_s * 1e3)
        for name in names:
            self._put(self._key("session", _digest(name)), (text, lives_ms))

    def _holds(self, response_id: str, held: Held | None) -> None:
        value = None if held is None else (orjson.dumps([held.model, held.key_id]).decode(), int(HELD_FOR_S * 1e3))
        self._put(self._held_key(response_id), value)


def _digest(name: str) -> str:
    return hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def _text(state: SessionState) -> str:
    cached = {name: [each.tokens, state.answered_s - each.at_s] for name, each in state.cached.items()}
    return orjson.dumps([state.model, state.served, cached, state.n_foreign]).decode()


def _state(text: bytes, answered_s: float) -> SessionState:
    model, served, cached, n_foreign = orjson.loads(text)
    return SessionState(
        model=model,
        answered_s=answered_s,
        served=tuple(served),
        cached={name: Cached(tokens, answered_s - age_s) for name, (tokens, age_s) in cached.items()},
        n_foreign=n_foreign,
    )
