"""Features: what routing reads off a request, by hand-crafted measures and by an embedding.

`extract` gives the hand-crafted features that `FEATURES` lists; `open_encoder` opens an embedding; `text_of` is the
text that both read.
"""

from __future__ import annotations

from . import reference
from .definitions import FEATURE_VERSION, FEATURES, Feature
from .encoders import StaticEncoder, open_encoder
from .handcrafted import extract, extract_batch, extract_text
from .reader import Reader
from .scan import look
from .window import text_of

__all__ = [
    "FEATURES",
    "FEATURE_VERSION",
    "Feature",
    "Reader",
    "StaticEncoder",
    "extract",
    "extract_batch",
    "extract_text",
    "look",
    "open_encoder",
    "reference",
    "text_of",
]
