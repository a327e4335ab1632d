"""The request's body: JSON, not compressed, within the limit and within its time."""

from __future__ import annotations

import asyncio

from aiohttp import web

from pointsman.errors import BadRequest

from .state import GATEWAY


async def read_body(request: web.Request) -> bytes:
    """The body's bytes.

    Raises:
        BadRequest: 413 too large, 415 compressed or of another type than JSON, 408 too slow, 400 broken off.
    """
    limits = request.app[GATEWAY].limits
    _check_type(request)
    if request.content_length is not None and request.content_length > limits.max_body_bytes:
        raise _too_large(limits.max_body_bytes)
    try:
        async with asyncio.timeout(limits.body_within_s):
            return await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise _too_large(limits.max_body_bytes) from None
    except TimeoutError:
        raise BadRequest(f"the body did not arrive within {limits.body_within_s:g} s", status=408) from None
    except web.RequestPayloadError:
        raise BadRequest("the body broke off or is wrongly framed") from None


def _check_type(request: web.Request) -> None:
    coding = request.headers.get("Content-Encoding", "identity").strip().lower()
    if coding not in ("", "identity"):
        # Not decoding at all is the one sure way not to be blown up by a few kilobytes.
        raise BadRequest(
            "compressed bodies are not accepted; send JSON without Content-Encoding",
            param="Content-Encoding",
            status=415,
        )
    if "Content-Type" not in request.headers:
        # A web page can post without a type, and always tells its origin; the SDKs never do.
        if "Origin" not in request.headers:
            return
    elif request.content_type == "application/json" or request.content_type.endswith("+json"):
        return
    # Pages of other sites may post text and forms to a gateway on this machine without asking first, but not JSON
    # (fetch.spec.whatwg.org, "CORS-safelisted request-header").
    raise BadRequest("the body must be sent with `Content-Type: application/json`", param="Content-Type", status=415)


def _too_large(limit: int) -> BadRequest:
    return BadRequest(f"the body is larger than {limit} bytes (limits.max_body_bytes)", status=413)
