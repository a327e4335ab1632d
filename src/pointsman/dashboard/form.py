"""A form's fields: urlencoded, small, once each."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from urllib.parse import parse_qsl

from aiohttp import web

from pointsman.errors import BadRequest

MAX_FORM_BYTES = 65_536
MAX_FIELDS = 64
WITHIN_S = 30.0


async def read_form(request: web.Request) -> Mapping[str, str]:
    """The fields by name, without the space around them; empty ones are left out.

    Raises:
        BadRequest: it is no form, too large, too slow, or has a field twice.
    """
    if request.content_type != "application/x-www-form-urlencoded":
        raise BadRequest("expected a form", status=415)
    pieces: list[bytes] = []
    n_bytes = 0
    try:
        async with asyncio.timeout(WITHIN_S):
            while piece := await request.content.readany():
                n_bytes += len(piece)
                if n_bytes > MAX_FORM_BYTES:
                    raise BadRequest(f"the form is larger than {MAX_FORM_BYTES} bytes", status=413)
                pieces.append(piece)
    except TimeoutError:
        raise BadRequest("the form took too long to arrive", status=408) from None
    try:
        pairs = parse_qsl(b"".join(pieces).decode("ascii"), max_num_fields=MAX_FIELDS, errors="strict")
    except (ValueError, UnicodeDecodeError):
        raise BadRequest("the form cannot be read") from None
    fields: dict[str, str] = {}
    for name, value in pairs:
        if name in fields:
            raise BadRequest(f"the form has {name[:40]!r} twice")
        if value.strip():
            fields[name] = value.strip().replace("\x00", "")
    return fields
