"""Headers in and out."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import quote

from multidict import CIMultiDictProxy

from pointsman.vocabulary import Decision, Dialect, JSONObject

if TYPE_CHECKING:
    from pointsman.call.reply import Reply

SERVER = "pointsman"
"""What the header of that name says: no version of anything."""
MAX_REASON_CHARS = 512
MAX_DECISION_BYTES = 6_144
"""Node.js refuses answers whose headers together pass 16 KiB, aiohttp single ones above 8,190 bytes."""
_PLAIN = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) != "%")
_BULKY = ("rules", "alternatives", "moved")


def lower_cased(headers: CIMultiDictProxy[str]) -> dict[str, str]:
    """Headers with names in lower case; repeated ones are joined by commas (RFC 9110 section 5.3)."""
    out = {name.lower(): value for name, value in headers.items()}
    if len(out) == len(headers):
        return out
    out = {}
    for name, value in headers.items():
        key = name.lower()
        out[key] = value if key not in out else f"{out[key]}, {value}"
    return out


@lru_cache(4_096)
def safe(text: str) -> str:
    """Text for a header: visible ASCII and blanks stay, everything else (line ends, "%") is percent-encoded UTF-8.

    `urllib.parse.unquote` restores it.
    """
    if text.isascii() and text.isprintable() and "%" not in text:
        return text
    return quote(text, safe=_PLAIN, errors="replace")


def request_id_headers(request_id: str, dialect: Dialect | None) -> dict[str, str]:
    """The request's id, under our name and under the one that the dialect's SDK prints."""
    theirs = "request-id" if dialect is Dialect.ANTHROPIC_MESSAGES else "x-request-id"
    return {"x-pointsman-request-id": request_id, theirs: request_id}


def answer_headers(reply: Reply, dialect: Dialect, *, debug: bool) -> dict[str, str]:
    """All headers of an answer but its Content-Type; cost and savings are there once they are known."""
    decision = reply.decision
    out = dict(reply.headers)
    if out:
        # The provider's id of the call would hide ours, under which the ledger knows the request.
        out.pop("x-request-id", None)
        out.pop("request-id", None)
    out |= request_id_headers(reply.request_id, dialect)
    out["x-pointsman-model"] = safe(reply.model)
    if reply.tier is not None:
        out["x-pointsman-tier"] = safe(reply.tier)
    out["x-pointsman-policy"] = safe(decision.policy)
    out["x-pointsman-reason"] = safe(decision.reason[:MAX_REASON_CHARS])
    account = reply.account
    if account is not None:
        if account.cost.usd is not None:
            out["x-pointsman-cost-usd"] = usd(account.cost.usd)
        if account.saved_usd is not None:
            out["x-pointsman-saved-usd"] = usd(account.saved_usd)
    if debug:
        out["x-pointsman-decision"] = decision_header(decision)
    return out


def usd(amount: float) -> str:
    """An amount without an exponent, to a millionth of a cent."""
    return f"{amount:.8f}".rstrip("0").rstrip(".") if math.isfinite(amount) else ""


def decision_header(decision: Decision) -> str:
    """The decision as ASCII JSON. When it is too long for a header, its lists are left out, the longest first."""
    content: JSONObject = decision.to_json()
    for part in (None, *_BULKY):
        if part is not None:
            content.pop(part, None)
            content["left_out"] = [*content.get("left_out", []), part]
        text = json.dumps(content, separators=(",", ":"), default=str)
        if len(text) <= MAX_DECISION_BYTES:
            break
    return text[:MAX_DECISION_BYTES]


def retry_after(seconds: float | None) -> dict[str, str]:
    """`Retry-After` in whole seconds, rounded up; nothing when it is not known."""
    return {} if seconds is None else {"Retry-After": str(max(0, math.ceil(seconds)))}


def wants_debug(headers: Mapping[str, str]) -> bool:
    """True when the client asked for the whole decision."""
    return headers.get("x-pointsman-debug", "").strip().lower() in ("1", "true", "yes")
