"""Circuit breakers over all replicas: each tells the others when one opens or closes, or a model asked for a pause.

Looked at with every beat and never on a request's way. Each replica still finds out for itself, too: a model that only
one of them cannot reach is left alone by all, until the first probe of any of them is answered.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping

import orjson

from pointsman.call.breaker import Breaker, State
from pointsman.call.health import Health
from pointsman.vocabulary import Clock, Model


class SharedBreakers:
    """What was said of the breakers, here and by others.

    Args:
        replica: names this process.
        clock: the one that the breakers go by.
    """

    def __init__(self, health: Health, *, replica: str, clock: Clock) -> None:
        self._health = health
        self._replica = replica
        self._clock = clock
        self._said: dict[str, tuple[State, float, float]] = {}
        self._heard_ms: dict[str, float] = {}

    def changed(self) -> dict[str, str]:
        """What others are to be told, by model."""
        now_s = self._clock()
        out = {}
        for name, breaker in self._named():
            state, open_until_s, open_s, rests_until_s = breaker.said
            # A probe is this replica's own affair.
            state = State.OPEN if state is State.PROBING else state
            now = (state, open_until_s if state is State.OPEN else 0.0, max(rests_until_s, 0.0))
            if now == self._said.get(name, (State.CLOSED, 0.0, 0.0)):
                continue
            self._said[name] = now
            words = [
                self._replica,
                state.value,
                max(0.0, open_until_s - now_s),
                open_s,
                max(0.0, rests_until_s - now_s),
            ]
            out[name] = orjson.dumps(words).decode()
        return out

    def hear(self, told: Mapping[str, bytes], now_ms: float) -> None:
        """Takes over what others have said since the last time."""
        now_s = self._clock()
        for name, breaker in self._named():
            value = told.get(name)
            if value is None:
                continue
            at, _, text = value.partition(b" ")
            if float(at) <= self._heard_ms.get(name, 0.0):
                continue
            self._heard_ms[name] = float(at)
            replica, state, open_for_s, open_s, rests_s = orjson.loads(text)
            if replica == self._replica:
                continue
            ago_s = max(0.0, now_ms - float(at)) / 1e3
            if state == State.CLOSED.value:
                breaker.told_closed()
            elif open_for_s > ago_s:
                breaker.told_open(now_s + open_for_s - ago_s, open_s)
            if rests_s > ago_s:
                breaker.rest(rests_s - ago_s, now_s)
            mine = breaker.said
            self._said[name] = (mine[0], mine[1] if mine[0] is State.OPEN else 0.0, max(mine[3], 0.0))

    def _named(self) -> Iterator[tuple[str, Breaker]]:
        for model, breaker in self._health.breakers():
            yield _name(model), breaker


def _name(model: Model) -> str:
    """The model's name, and what else makes it another one when it is configured differently."""
    urls = sorted(endpoint.url for endpoint in model.endpoints.values())
    text = "\0".join((model.provider, model.provider_model, *urls))
    return f"{model.name}:{hashlib.blake2b(text.encode(), digest_size=6).hexdigest()}"
