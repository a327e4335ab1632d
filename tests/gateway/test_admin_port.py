"""Metrics and the dashboard on a port of their own."""

from __future__ import annotations

import pytest
from tests.gateway.conftest import OpenStand

from pointsman.gateway import GatewayServer, Keys, create_app
from pointsman.gateway.listening import Sockets, listen

KEYS = {"admin": {"authorization": "Bearer admin-key-1"}, "client": {"authorization": "Bearer client-key"}}


@pytest.mark.parametrize(
    ("path", "apart", "key", "status"),
    [
        ("/metrics", False, "admin", 404),
        ("/dashboard", False, "admin", 404),
        ("/v1/models", False, "client", 200),
        ("/healthz", False, "client", 200),
        ("/metrics", True, "admin", 200),
        ("/metrics", True, "client", 403),
        ("/v1/models", True, "client", 404),
        ("/v1/models", True, "admin", 404),
        ("/nothing", True, "admin", 404),
        ("/healthz", True, "client", 200),
    ],
)
async def test_each_port_serves_its_own_only(
    open_stand: OpenStand, path: str, apart: bool, key: str, status: int
) -> None:
    async with open_stand() as stand:
        app = create_app(stand.router, keys=Keys({"c": "client-key"}, admin="admin-key-1"))
        sockets = Sockets(listen("127.0.0.1", 0), listen("127.0.0.1", 0))
        async with GatewayServer(app, sockets=sockets):
            port = sockets.admin_port if apart else sockets.port
            async with stand.session.get(f"http://127.0.0.1:{port}{path}", headers=KEYS[key]) as response:
                assert response.status == status
