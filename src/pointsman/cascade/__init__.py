"""The cascade stage: a cheap answer is judged, and served or followed by a stronger model's.

`machine` decides, without I/O; `run` carries it out with what is passed in: a way to call, readers, and judges.
"""

from .called import Called, Caller, Reader, Settled
from .held import Splitter
from .machine import Cascade, WhenJudgeFails
from .run import CourseOf, Judges, Runner, Won

__all__ = [
    "Called",
    "Caller",
    "Cascade",
    "CourseOf",
    "Judges",
    "Reader",
    "Runner",
    "Settled",
    "Splitter",
    "WhenJudgeFails",
    "Won",
]
