"""Drops the models that cannot serve a request, each with the reason."""

from .limits import CONTEXT_MARGIN, barred, candidates

__all__ = ["CONTEXT_MARGIN", "barred", "candidates"]
