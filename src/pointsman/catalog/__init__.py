"""What is known of providers and models: where they are, what they cost, what they can do."""

from .build import build_model
from .capabilities import capabilities_of
from .cost import blended_usd_per_mtok, cost_of, usd_of
from .prices import price_of
from .providers import PROVIDERS, Auth, Provider

__all__ = [
    "PROVIDERS",
    "Auth",
    "Provider",
    "blended_usd_per_mtok",
    "build_model",
    "capabilities_of",
    "cost_of",
    "price_of",
    "usd_of",
]
