"""Who may call which route: one rule for each, held to the route table by a test."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Access(StrEnum):
    """What a route asks of its caller, wherever keys are asked for at all."""

    OPEN = "open"
    """Nothing: it tells nothing, and orchestrators probe it."""
    CLIENT = "client"
    """A client's key or the admin's."""
    OWN = "own"
    """As `CLIENT`; what belongs to another key is answered as if it were not there."""
    ADMIN = "admin"
    """The admin's key."""
    PAGE = "page"
    """What the page itself asks: it is for a browser, which signs in once and then bears a cookie."""


OTHER = "other"
"""Every path that no route has: whoever has no key does not even learn which paths there are."""

ACCESS: Mapping[str, Access] = {
    "/": Access.OPEN,
    "/healthz": Access.OPEN,
    "/readyz": Access.OPEN,
    "/v1/chat/completions": Access.CLIENT,
    "/v1/responses": Access.CLIENT,
    "/v1/messages": Access.CLIENT,
    "/v1/messages/count_tokens": Access.CLIENT,
    "/v1/responses/input_tokens": Access.CLIENT,
    "/v1/responses/compact": Access.CLIENT,
    "/v1/embeddings": Access.CLIENT,
    "/v1/moderations": Access.CLIENT,
    "/v1/completions": Access.CLIENT,
    "/v1/responses/{id}": Access.OWN,
    "/v1/responses/{id}{rest}": Access.OWN,
    "/v1/models": Access.CLIENT,
    "/v1/models/{id}": Access.CLIENT,
    "/v1/route": Access.CLIENT,
    "/v1/feedback": Access.OWN,
    "/v1/decisions/{request_id}": Access.OWN,
    "/metrics": Access.ADMIN,
    OTHER: Access.CLIENT,
}
"""By the route's pattern, for every method."""


PAGES = "/dashboard"
"""Routes from here on are pages; `pointsman.dashboard` has a rule for each."""


def access_to(endpoint: str) -> Access:
    """The rule of a route; the strictest for one that has none."""
    if endpoint == PAGES or endpoint.startswith(f"{PAGES}/"):
        return Access.PAGE
    return ACCESS.get(endpoint, Access.ADMIN)
