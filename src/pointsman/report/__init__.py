"""An evaluation as pages that people read: HTML, Markdown and figures."""

from .build import Report, build
from .contents import Misroute, Moved, Provenance
from .files import Paths, write

__all__ = ["Misroute", "Moved", "Paths", "Provenance", "Report", "build", "write"]
