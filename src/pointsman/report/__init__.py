"""An evaluation as pages that people read: HTML, Markdown and figures."""

from . import details
from .build import Report, build
from .contents import Misroute, Moved, Provenance
from .files import Paths, write
from .gather import code_hash, provenance_here, what_moved, worst_misroutes

__all__ = [
    "Misroute",
    "Moved",
    "Paths",
    "Provenance",
    "Report",
    "build",
    "code_hash",
    "details",
    "provenance_here",
    "what_moved",
    "worst_misroutes",
    "write",
]
