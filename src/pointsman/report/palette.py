"""The report's colours: one accent for the policy in question, greys for what it is compared with.

Hues are from Okabe and Ito's colour-blind-safe set (Color Universal Design, 2008), darkened or lightened for a contrast
of at least 3:1 on their background. Charts are drawn in the light colours; the style sheet maps each to its dark twin
by attribute selectors, so that one SVG serves both.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Colour:
    """One role in both schemes, as #rrggbb."""

    light: str
    dark: str


PAPER = Colour("#ffffff", "#14171c")
INK = Colour("#1c2128", "#e6e9ee")
MUTED = Colour("#59636e", "#9aa4b0")
LINE = Colour("#b3bcc6", "#525c68")
GRID = Colour("#e8ebef", "#2a3038")
ACCENT = Colour("#0067a8", "#5db6f0")
ACCENT_SOFT = Colour("#bfdcf0", "#1f4766")
GOOD = Colour("#007f5f", "#4fcfa5")
BAD = Colour("#b84a00", "#ff9c5a")

ALL: tuple[Colour, ...] = (PAPER, INK, MUTED, LINE, GRID, ACCENT, ACCENT_SOFT, GOOD, BAD)

FONT = "-apple-system, BlinkMacSystemFont, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
