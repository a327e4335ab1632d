"""The lane: the endpoints of the three dialects, served without aiohttp's application around them.

Nearly all requests go there, and finding their route, running middleware and building a response took as long as all
that is done with their text. What happens is the same, by the same functions: `edge.around` and `completions.served`.
Whatever is not a plain HTTP/1.1 POST to such an endpoint goes the common way.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from aiohttp import HttpVersion11, web

from pointsman.vocabulary import Dialect
from pointsman.wire import endpoint_of

from .completions import served
from .edge import around, rate_headers_of
from .headers import lower_cased
from .state import Exchange, Gateway
from .written import Events, Response, Whole

_DIALECTS = {endpoint_of(dialect): dialect for dialect in Dialect}


def lane(
    gateway: Gateway, elsewhere: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
) -> Callable[[web.BaseRequest], Awaitable[Response]]:
    """Answers requests to the three dialects; leaves all others to `elsewhere`."""

    async def answer(request: web.BaseRequest) -> Response:
        endpoint, _, _ = request.raw_path.partition("?")
        dialect = _DIALECTS.get(endpoint)
        if dialect is None or request.method != "POST" or request.version != HttpVersion11:
            return await elsewhere(request)
        headers = lower_cased(request.headers)
        if "expect" in headers or "upgrade" in headers:
            return await elsewhere(request)
        exchange = Exchange(gateway.new_id(), dialect, endpoint, headers)

        def respond(status: int, headers: Mapping[str, str], body: bytes | None) -> Response:
            merged = {**headers, **rate_headers_of(exchange, gateway)}
            return Events(status, merged) if body is None else Whole(status, merged, body)

        async def handle(request: web.BaseRequest) -> Response:
            return await served(request, gateway, exchange, dialect, endpoint, respond=respond)

        response = await around(request, handle, gateway, exchange)
        if isinstance(response, web.Response):
            # An error, which no hook of an application has seen.
            response.headers.update(rate_headers_of(exchange, gateway))
        return response

    return answer
