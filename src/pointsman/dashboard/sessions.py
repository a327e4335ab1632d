"""Sessions of the browser that gave the admin key: a signed cookie, and tokens that only our own forms bear.

Nothing is kept on the server but what was ended early, so that a session holds in every replica and over restarts; it
ends with its time, with "sign out" in the process that got it, and with the admin key.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections import OrderedDict

COOKIE = "pointsman_session"
LIFETIME_S = 12 * 3600
MAX_ENDED = 1_000
"""Sessions ended early that are remembered; the oldest are forgotten first."""
_NONCE_BYTES = 16


class Sessions:
    """Makes and checks sessions.

    Args:
        secret: for tokens of forms where nobody signs in; None makes a random one.
    """

    def __init__(self, *, secret: bytes | None = None) -> None:
        self._secret = secrets.token_bytes(32) if secret is None else secret
        self._ended: OrderedDict[str, None] = OrderedDict()

    def begin(self, signing: bytes, now_s: float) -> str:
        """A new session's cookie.

        Args:
            signing: of the admin key, see `Keys.admin_secret`.
            now_s: seconds since 1970.
        """
        body = f"{int(now_s) + LIFETIME_S}.{secrets.token_hex(_NONCE_BYTES)}"
        return f"{body}.{_seal(signing, b'session', body)}"

    def holds(self, cookie: str, signing: bytes, now_s: float) -> bool:
        """True for the cookie of a session that is not over."""
        body, _, seal = cookie.rpartition(".")
        if not hmac.compare_digest(seal.encode(), _seal(signing, b"session", body).encode()):
            return False
        end = body.partition(".")[0]
        return end.isascii() and end.isdigit() and now_s < int(end) and cookie not in self._ended

    def end(self, cookie: str) -> None:
        """Ends a session before its time."""
        self._ended[cookie] = None
        while len(self._ended) > MAX_ENDED:
            self._ended.popitem(last=False)

    def form_token(self, cookie: str | None, signing: bytes | None) -> str:
        """What a form of this session bears; without sessions, what every form of this process bears."""
        key = self._secret if signing is None else signing
        return _seal(key, b"form", "" if cookie is None else cookie)

    def is_form_token(self, token: str, cookie: str | None, signing: bytes | None) -> bool:
        """True for the token of `form_token`."""
        return hmac.compare_digest(token.encode(), self.form_token(cookie, signing).encode())


def _seal(key: bytes, purpose: bytes, text: str) -> str:
    return hmac.new(key, purpose + b"\x00" + text.encode("utf-8", "surrogateescape"), hashlib.sha256).hexdigest()
