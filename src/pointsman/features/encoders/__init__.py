"""Encoders: texts to vectors. `open_encoder` opens one by its specification."""

from __future__ import annotations

from .opening import open_encoder
from .static import StaticEncoder

__all__ = ["StaticEncoder", "open_encoder"]
