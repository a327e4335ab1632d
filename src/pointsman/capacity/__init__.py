"""How many replicas a load needs, from figures that were measured on one.

The figures stand in `figures.json` with their date, machine and command; whatever was not measured is an assumption and
is called one.
"""

from .figures import Figure, Figures, read_figures
from .plan import CapacityPlan, Load, plan

__all__ = ["CapacityPlan", "Figure", "Figures", "Load", "plan", "read_figures"]
