"""Findings about an installation: what is right, what may hurt, what is wrong, and what to do about it.

Every check takes facts and gives findings; who gathers the facts, and how, is not known here.
"""

from .artifact import RouterFacts, router_findings
from .cascades import AskedFacts, CascadeFacts, cascade_findings
from .clock import ClockReading, clock_findings, date_findings
from .connect import Address, connect_all
from .exposure import bind_findings, permission_findings
from .finding import Finding, State
from .labels import LabelFacts, label_findings
from .ledger import LedgerFacts, ServerFacts, ledger_findings, server_findings
from .models import price_findings, simulated_findings, tier_findings, window_findings
from .providers import Called, called_findings, connection_findings
from .watch import WatchFacts, watch_findings

__all__ = [
    "Address",
    "AskedFacts",
    "Called",
    "CascadeFacts",
    "ClockReading",
    "Finding",
    "LabelFacts",
    "LedgerFacts",
    "RouterFacts",
    "ServerFacts",
    "State",
    "WatchFacts",
    "bind_findings",
    "called_findings",
    "cascade_findings",
    "clock_findings",
    "connect_all",
    "connection_findings",
    "date_findings",
    "label_findings",
    "ledger_findings",
    "permission_findings",
    "price_findings",
    "router_findings",
    "server_findings",
    "simulated_findings",
    "tier_findings",
    "watch_findings",
    "window_findings",
]
