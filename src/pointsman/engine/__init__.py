"""Where work on many parts is done: in this process, or on a Ray cluster. Stages know neither.

What is done is a function from a part to a result, how parts are cut is the caller's, and results come in the parts'
order: so both engines give the same results, to the last bit.
"""

from .engine import Engine, EngineName, open_engine
from .local import LOCAL, LocalEngine

__all__ = ["LOCAL", "Engine", "EngineName", "LocalEngine", "open_engine"]
