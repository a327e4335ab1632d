"""The pages at `/dashboard`: what routing saved, why each decision was made, how good the evidence is.

Server-rendered, for the bearer of the admin key. `pages` gives the routes that `pointsman.gateway.create_app` takes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aiohttp import web

    from pointsman.assembly import Parts
    from pointsman.record import KeyStore, SqlLedger

__all__ = ["pages"]


def pages(parts: Parts, ledger: SqlLedger, keys: KeyStore) -> Iterable[web.RouteDef]:
    """The dashboard's routes over a gateway's configuration, ledger and keys; none where it is turned off."""
    from .desk import desk_of
    from .routes import routes

    return routes(desk_of(parts, ledger, keys)) if parts.settings.dashboard.enabled else ()
