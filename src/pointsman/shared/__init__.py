"""The shared stage: what the replicas of one gateway know together, in Redis or Valkey.

One connection for each replica, over which many calls are under way at once and are carried out in order. Every call is
a Lua script (`lua/`), so that it is one round trip and one step. `open_store` needs the extra `redis`; nothing of it is
loaded before.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pointsman.errors import ConfigError

from .away import AWAY_REASONS, Absence, Backoff
from .changes import EVERYBODY, Changes, account_of, begin_words

if TYPE_CHECKING:
    from .store import SharedStore

__all__ = ["AWAY_REASONS", "EVERYBODY", "Absence", "Backoff", "Changes", "account_of", "begin_words", "open_store"]


def open_store(
    url: str, *, timeout_s: float, prefix: str, clock: Callable[[], float], random: Callable[[], float]
) -> SharedStore:
    """The store at an address, not yet connected.

    Args:
        url: redis://, rediss:// or unix://, as redis-py reads it.
        timeout_s: how long a call may take.
        prefix: of every key, so that several gateways can use one server.

    Raises:
        ConfigError: the extra `redis` is not installed, or the address cannot be read.
    """
    try:
        from .store import SharedStore
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"redis.url needs redis-py ({error.name} is not installed): pip install 'pointsman[redis]'"
        ) from error
    return SharedStore(url, timeout_s=timeout_s, prefix=prefix, clock=clock, random=random)
