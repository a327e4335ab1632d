"""The watch stage: does a policy's promise still hold on the traffic of today? Pure statistics, valid at every look."""

from .loss import LossBound
from .windows import LEAST_DISTANCE, WINDOW, Reference, Shift, Windows

__all__ = ["LEAST_DISTANCE", "WINDOW", "LossBound", "Reference", "Shift", "Windows"]
