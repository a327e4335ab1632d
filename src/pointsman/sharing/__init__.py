"""What replicas of one gateway share: limits, conversations, breakers, and which configuration is in force.

Wires the stage `shared`, which knows Redis, to the stages whose state is shared. Without `redis.url` nothing of this is
loaded, and everything stays in memory.
"""

from .limits import SharedLimits
from .replica import Sharing

__all__ = ["SharedLimits", "Sharing"]
