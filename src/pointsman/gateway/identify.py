"""Who sends a request, and whether it may: keys, wrong keys by address, and pages of other sites."""

from __future__ import annotations

from urllib.parse import urlsplit

from aiohttp import web

from pointsman.errors import AuthenticationError, NotFound, PermissionDenied, RateLimited

from .access import Access, access_to
from .connection import Connection
from .loopback import is_loopback
from .state import Exchange, Gateway


def identify(request: web.BaseRequest, gateway: Gateway, exchange: Exchange) -> None:
    """Notes in the exchange whose request it is.

    Raises:
        NotFound: the route is on another port.
        AuthenticationError: a key is asked for and none that is good was sent.
        RateLimited: the address has sent too many wrong keys.
        PermissionDenied: the route is not for this caller, or a page of another site sends the request.
        LedgerAway: the ledger is away, and the key cannot be checked or the configuration says not to serve.
    """
    access = access_to(exchange.endpoint)
    if access is Access.OPEN:
        return
    if gateway.admin_apart:
        connection = request.protocol
        if (access in _ADMIN) != (isinstance(connection, Connection) and connection.for_admin):
            raise NotFound("there is nothing at this path")
    headers = exchange.headers
    if access is Access.PAGE:
        if gateway.keys.open_to_all:
            _check_site(headers.get("host"), headers.get("origin"))
        return
    if len(gateway.failures):
        wait_s = gateway.failures.wait_s(request.remote, gateway.clock())
        if wait_s > 0 and not gateway.keys.bears_virtual_key(headers):
            raise RateLimited(
                f"too many requests with a wrong key came from this address; try again in {wait_s:.0f} s",
                retry_after_s=wait_s,
            )
    try:
        caller = gateway.keys.caller(headers)
    except AuthenticationError:
        gateway.failures.failed(request.remote, gateway.clock())
        raise
    exchange.key_id, exchange.is_admin = caller.key_id, caller.is_admin
    if access is Access.CLIENT and gateway.absence is not None:
        gateway.absence.check()
    # Browsers send an Origin with every POST; without one it is a program, or a page that can only read.
    if caller.key_id is None and (access is not Access.CLIENT or "origin" in headers):
        _check_site(headers.get("host"), headers.get("origin"))
    if access is Access.ADMIN and not caller.is_admin:
        raise PermissionDenied("this needs the admin key (keys.admin_key)")


_ADMIN = frozenset({Access.ADMIN, Access.PAGE})
"""What moves to the admin's port where there is one."""


def _check_site(host: str | None, origin: str | None) -> None:
    """Refuses what a page of another site sends to a gateway that asks for no key.

    Such a gateway listens on this machine only, but so does the browser. A page can let its own name lead to 127.0.0.1
    (DNS rebinding), and then reads answers as its own; the Host header still bears that name. Programs send no Origin,
    browsers always do where it is another's.
    """
    name = _hostname(f"//{host}") if host else None
    if host and (name is None or not is_loopback(name)):
        raise PermissionDenied(
            "without keys this gateway serves this machine only, under 127.0.0.1 or localhost; the Host header has "
            "another name: send that, or configure keys"
        )
    if origin is not None and _hostname(origin) != name:
        raise PermissionDenied("pages of other sites may not use a gateway without keys")


def _hostname(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None
