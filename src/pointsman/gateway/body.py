"""The request's body: JSON, not compressed, within the limit and within its time."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from aiohttp import StreamReader, web

from pointsman.errors import BadRequest

from .state import GatewayLimits


async def read_body(request: web.BaseRequest, headers: Mapping[str, str], limits: GatewayLimits) -> bytes:
    """The body's bytes.

    Args:
        headers: the request's, names in lower case.

    Raises:
        BadRequest: 413 too large, 415 compressed or of another type than JSON, 408 too slow, 400 broken off.
    """
    if headers.get("content-type") != "application/json" or "content-encoding" in headers:
        _check_type(request)
    content = request.content
    if content.is_eof() and content.exception() is None and content.total_bytes <= limits.max_body_bytes:
        # It came whole with its head.
        return content.read_nowait()
    if request.content_length is not None and request.content_length > limits.max_body_bytes:
        raise _too_large(limits.max_body_bytes)
    try:
        return await _pieces(content, limits)
    except TimeoutError:
        raise BadRequest(
            f"the body stopped arriving for {limits.body_idle_s:g} s, or took longer than {limits.body_within_s:g} s",
            status=408,
        ) from None
    except web.RequestPayloadError:
        raise BadRequest("the body broke off or is wrongly framed") from None


async def _pieces(content: StreamReader, limits: GatewayLimits) -> bytes:
    """The body, whose pieces must each come within the idle time."""
    pieces: list[bytes] = []
    n_bytes = 0
    loop = asyncio.get_running_loop()
    deadline_s = loop.time() + limits.body_within_s
    async with asyncio.timeout(limits.body_idle_s) as idle:
        while piece := await content.readany():
            n_bytes += len(piece)
            if n_bytes > limits.max_body_bytes:
                raise _too_large(limits.max_body_bytes)
            pieces.append(piece)
            if not content.is_eof():
                idle.reschedule(min(loop.time() + limits.body_idle_s, deadline_s))
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _check_type(request: web.BaseRequest) -> None:
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
